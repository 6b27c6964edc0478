/** A word to who sees a part of the drawing at first: where the rest is, and how to see all. */

import { h } from "./dom";
import type { Stage } from "./stage";

const ARROWS = ["←", "↑", "→", "↓"];

export function rest(stage: Stage): HTMLElement {
  const hint = h("button", { type: "button", class: "more" });
  hint.addEventListener("click", () => stage.fit());
  stage.beyond.watch((sides) => {
    hint.hidden = !sides.includes(true);
    const arrows = ARROWS.filter((_, i) => sides[i]).join(" ");
    hint.replaceChildren(
      h("span", { "aria-hidden": "true" }, arrows),
      " drag for more, or ",
      h("u", {}, "see all"),
    );
  });
  return hint;
}
