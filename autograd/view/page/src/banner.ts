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
    const from = op ? (what === "data" ? " from inputs that are finite" : "") : ", which was given";
    box.replaceChildren(
      h("b", {}, kind), what === "data" ? " first appears in " : " first appears in the gradient that flows back through ",
      link(app, node), op ? ` = ${op}(…)${from}` : from, where ? ` at ${where}` : "",
      path.size > 1 ? `, and reaches ${path.size - 1} more` : "",
    );
  });
  return box;
}
