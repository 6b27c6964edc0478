/** A few words about what the pointer is on. */

import type { App } from "./app";
import { h } from "./dom";
import { told } from "./flow";
import { operations } from "./fold";
import { counted, dimensions, isStats, MISSING, norm, short } from "./numbers";
import { pretty } from "./parts";
import type { Num, Stats } from "./trace";
import type { Item } from "./tree";

export function tooltip(app: App, field: HTMLElement): HTMLElement {
  const tip = h("div", { class: "tooltip", role: "presentation" });
  tip.hidden = true;
  const place = (event: PointerEvent) => {
    const { left, top, width, height } = field.getBoundingClientRect();
    const x = event.clientX - left;
    const y = event.clientY - top;
    tip.style.left = `${Math.max(8, Math.min(x + 14, width - tip.offsetWidth - 12))}px`;
    tip.style.top = `${y + 18 + tip.offsetHeight > height ? y - tip.offsetHeight - 12 : y + 18}px`;
  };
  field.addEventListener("pointermove", place);
  field.addEventListener("pointerup", place);
  const refresh = () => {
    const item = matchMedia("(hover: none)").matches ? null : app.hovered.value;
    const line = app.line.value;
    tip.hidden = !item && !line;
    if (line) tip.replaceChildren(...told(app, line));
    else if (item) tip.replaceChildren(...words(app, item));
  };
  for (const signal of [app.hovered, app.line, app.position] as { watch(f: () => void): void }[])
    signal.watch(refresh);
  return tip;
}

function words(app: App, item: Item): HTMLElement[] {
  const { graph, timeline, fold } = app.sheet.value;
  if (item.kind !== "node") {
    const act = fold.isOpen(item) ? "double click folds it" : "double click unfolds it";
    return [
      h("b", {}, item.title),
      h("span", {}, counted(operations(graph, item), "operation")),
      h("span", { class: "faint" }, act),
    ];
  }
  const node = graph.nodes[item.index];
  const op = graph.op(item.index);
  const value = (x: Stats | Num | undefined) =>
    x === undefined ? MISSING : isStats(x) ? `norm ${short(norm(x))}` : short(x);
  const overlay = app.overlay.value;
  const position = app.position.value;
  const facts: HTMLElement[] = [h("b", {}, graph.titles[item.index])];
  if (op) facts.push(h("span", { class: "number" }, `= ${pretty(graph.formula(item.index))}`));
  if (node.shape) facts.push(h("span", {}, `${dimensions(node.shape)} ${node.dtype ?? ""}`));
  if (overlay) {
    const told = overlay.words(item.index);
    return [...facts, ...told.map((text) => h("span", { class: "number" }, text))];
  }
  facts.push(
    h(
      "span",
      { class: "number" },
      `data ${timeline.isComputed(item.index, position) ? value(node.data) : MISSING}`,
    ),
  );
  if (node.kind !== "constant")
    facts.push(
      h(
        "span",
        { class: "number" },
        `grad ${value(timeline.gradient(item.index, position).value)}`,
      ),
    );
  if (node.where) facts.push(h("span", { class: "faint" }, node.where));
  return facts;
}
