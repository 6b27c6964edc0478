/** Says where numbers that are not finite come from. */

import type { App } from "./app";
import { h } from "./dom";
import { link } from "./parts";

export function banner(app: App): HTMLElement {
  const box = h("div", { class: "banner", role: "status" });
  app.sheet.watch(({ trouble, graph }) => {
    box.hidden = !trouble;
    if (!trouble) return;
    const { node, what, kind, path } = trouble;
    const { op, where } = graph.nodes[node];
    const { size } = path;
    box.replaceChildren(
      h("b", {}, kind),
      what === "data"
        ? " first appears in "
        : " first appears in the gradient that flows back through ",
      link(app, node),
      op && graph.titles[node] !== op ? ` (${op})` : "",
      where ? `, ${where}.` : ".",
      op && what === "data" ? " Its inputs are finite." : "",
      size > 1 ? ` It reaches ${size - 1} more.` : "",
    );
  });
  return box;
}
