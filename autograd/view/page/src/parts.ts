/** Pieces of panels that several of them show: links to nodes, data and gradients, source lines. */

import type { App } from "./app";
import { h, s } from "./dom";
import { heatKey, heatmap, most } from "./heatmap";
import { histogram } from "./histogram";
import { dimensions, isStats, long, norm, percent, short } from "./numbers";
import type { Num, Stats } from "./trace";
import type { Item } from "./tree";

/** A link that selects a node, and shows where it is. */
export function link(
  app: App,
  node: number,
  text = app.sheet.value.graph.titles[node],
): HTMLElement {
  return itemLink(app, app.sheet.value.fold.tree.leaves[node], text);
}

export function itemLink(app: App, item: Item, text = item.title): HTMLElement {
  const element = h("button", { type: "button", class: "link" }, text);
  element.addEventListener("click", () => {
    void app.select(item).then(() => app.go(item));
  });
  element.addEventListener("pointerenter", () => app.hovered.set(item));
  element.addEventListener("pointerleave", () => app.hovered.set(null));
  return element;
}

/** Terms and what is said of them, in two columns. */
export function facts(pairs: [string, Node | string | null][]): HTMLElement {
  const list = h("dl", { class: "facts" });
  for (const [term, said] of pairs) if (said) list.append(h("dt", {}, term), h("dd", {}, said));
  return list;
}

/** A formula in which g, z and the operands stand out. */
export function formula(text: string): HTMLElement {
  return h("code", { class: "formula" }, pretty(text));
}

export function pretty(text: string): string {
  return text.replaceAll(" * ", " · ").replaceAll("**", "^").replaceAll(" - ", " − ");
}

/** Data or a gradient: the number, or statistics with a heat map and a histogram. */
export function datum(app: App, x: Stats | Num, says: string): HTMLElement {
  const theme = app.themes.signal.value;
  if (!isStats(x)) return h("p", { class: "number big" }, long(x));
  const box = h("div", { class: "datum" });
  const bad = x.nan + x.inf;
  if (bad)
    box.append(
      h(
        "p",
        { class: "alarm" },
        [x.nan && `${x.nan} nan`, x.inf && `${x.inf} infinite`].filter(Boolean).join(", "),
      ),
    );
  const single = x.hist.zero + total(x.hist.negative) + total(x.hist.positive) + bad === 1;
  if (single) {
    box.append(h("p", { class: "number big" }, long(bad ? norm(x) : x.min)));
    return box;
  }
  box.append(
    facts([
      [bad ? "finite norm" : "norm", long(x.norm)],
      ["mean ± std", `${short(x.mean)} ± ${short(x.std)}`],
      ["range", `${short(x.min)} … ${short(x.max)}`],
      ["zeros", percent(x.zeros)],
    ]),
  );
  const limit = most([x.preview]);
  if (!limit && !bad) return box; // nothing but zeros
  if (x.preview) box.append(heatmap(x.preview, theme, limit, says));
  if (!limit) return box;
  box.append(heatKey(limit, theme), histogram(x.hist, `${says}: how many elements of which size`));
  return box;
}

function total(counts: number[]): number {
  return counts.reduce((a, b) => a + b, 0);
}

export function shapeOf(shape: number[] | undefined, dtype: string | undefined): string {
  return [dimensions(shape), dtype].filter(Boolean).join(" ");
}

/** The line of the reader's file, with those around it. */
export function source(app: App, where: string): HTMLElement {
  const cut = where.lastIndexOf(":");
  const label = where.slice(0, cut);
  const line = Number(where.slice(cut + 1));
  const excerpt = (app.sheet.value.trace.sources[label] ?? []).find(
    ({ first, lines }) => line >= first && line < first + lines.length,
  );
  if (!excerpt) return h("p", { class: "where" }, where);
  const code = h("pre", { class: "source", role: "group", tabindex: 0, "aria-label": `Source, ${where}` });
  const begin = Math.max(excerpt.first, line - 3);
  const lines = excerpt.lines.slice(begin - excerpt.first, line + 3 - excerpt.first + 1);
  const margin = Math.min(...lines.filter((text) => text.trim()).map((text) => text.search(/\S/)));
  lines.forEach((text, i) =>
    code.append(
      h(
        "span",
        { class: begin + i === line ? "line here" : "line" },
        h("i", {}, String(begin + i)),
        text.slice(margin) || " ",
      ),
    ),
  );
  return h("div", {}, h("p", { class: "where" }, where), code);
}

/** A small swatch in the shape and colours of a kind of box. */
export function swatch(app: App, kind: string): SVGElement {
  const [fill, stroke] = app.themes.signal.value.kind(kind);
  const radius = { value: 4, parameter: 2, input: 7, output: 4, constant: 4, op: 7 }[kind] ?? 4;
  return s(
    "svg",
    { viewBox: "0 0 24 16", width: 24, height: 16, "aria-hidden": "true" },
    s("rect", {
      x: 1,
      y: 1,
      width: 22,
      height: 14,
      rx: radius,
      fill,
      stroke,
      "stroke-width": 1.25,
      ...(kind === "constant" ? { "stroke-dasharray": "4 3" } : {}),
    }),
  );
}
