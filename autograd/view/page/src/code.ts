/** The readable derivative: line and node know each other. */

import type { App } from "./app";
import { h } from "./dom";

export function codePanel(app: App): HTMLElement | null {
  const { code } = app.payload;
  if (!code) return null;
  const text = h("pre", { class: "source", tabindex: 0, "aria-label": "The derivative as code" });
  const { leaves } = app.sheet.value.fold.tree;
  const rows = code.text
    .replace(/\n$/, "")
    .split("\n")
    .map((line, i) => {
      const nodes = code.lines[i] ?? [];
      const row = h(
        "span",
        { class: nodes.length ? "line linked" : "line" },
        h("i", {}, String(i + 1)),
        line || " ",
      );
      if (nodes.length) {
        row.addEventListener("click", () => {
          void app
            .openTrace(0)
            .then(() => app.select(leaves[nodes[0]]))
            .then(() => app.go(leaves[nodes[0]]));
        });
        row.addEventListener(
          "pointerenter",
          () => app.which === 0 && app.hovered.set(app.visible(leaves[nodes[0]])),
        );
        row.addEventListener("pointerleave", () => app.hovered.set(null));
      }
      text.append(row);
      return row;
    });
  app.selected.watch((item) => {
    rows.forEach((row, i) => {
      const here =
        app.which === 0 && item?.kind === "node" && (code.lines[i] ?? []).includes(item.index);
      row.classList.toggle("here", here);
    });
    const here = rows.find((row) => row.classList.contains("here"));
    if (here) text.scrollTop = here.offsetTop - text.clientHeight / 2;
  });
  return h(
    "section",
    { class: "code", "aria-label": "Code" },
    h("h2", {}, "Derivative as code"),
    text,
  );
}
