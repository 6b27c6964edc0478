/** The chain rule for one input: ∂L/∂x += ∂L/∂y · ∂y/∂x. */

import type { App } from "./app";
import { h } from "./dom";
import type { Graph } from "./graph";
import { heatKey, heatmap, most } from "./heatmap";
import { dimensions, isStats, long, MISSING, norm, ordinal } from "./numbers";
import { formula, itemLink, pretty } from "./parts";
import type { Event, Num, Part, Preview, Stats } from "./trace";

/** What an operation adds to the gradient of one input: in symbols, in numbers, as a rule. */
export function contribution(app: App, event: Event, part: Part): HTMLElement {
  const { graph, timeline } = app.sheet.value;
  const op = graph.op(event.node);
  const rule = op?.rules[part.position] ?? op?.rules.at(-1);
  const { before, after } = timeline.around(part);
  const box = h("div", { class: "equation" });
  const scalar = part.local !== undefined && part.value !== undefined && !isStats(part.value);
  box.append(
    h(
      "p",
      { class: "symbols" },
      h(
        "span",
        { class: "target" },
        itemLink(app, app.sheet.value.fold.tree.leaves[part.input], graph.partial(part.input)),
      ),
      h("b", {}, part.of > 1 ? " += " : " = "),
      chain(graph, event, part),
    ),
  );
  const arriving = graph.nodes[event.node].grad;
  if (scalar) {
    box.append(
      h(
        "p",
        { class: "number result" },
        `${long(part.value as Num)} = ${plainly(arriving)} × ${long(part.local!)}`,
      ),
    );
    if (part.of > 1) {
      const sum =
        before === undefined
          ? `${plainly(after)}`
          : `${plainly(before)} + ${plainly(part.value)} = ${plainly(after)}`;
      box.append(
        h(
          "p",
          { class: "sum" },
          h("span", { class: "number" }, sum),
          h("span", { class: "faint" }, `${ordinal(part.nth)} of ${part.of} contributions`),
        ),
      );
    }
  }
  const repeated = op?.rules.length === 1 && part !== event.parts[0]; // one for all is told once
  if (rule && !repeated)
    box.append(h("p", { class: "law" }, formula(rule), ...meaning(app, event, rule)));
  if (!scalar) box.append(...fields(app, event, part, before, after));
  return box;
}

/** ∂L/∂z · ∂z/∂x, which an operation adds to ∂L/∂x. */
export function chain(graph: Graph, event: Event, part: Part): string {
  const { titles } = graph;
  return `${graph.partial(event.node)} · ∂${titles[event.node]}/∂${titles[part.input]}`;
}

/** What the letters of a rule stand for. */
function meaning(app: App, event: Event, rule: string): HTMLElement[] {
  const { graph } = app.sheet.value;
  const op = graph.op(event.node)!;
  const words = new Set(rule.match(/[A-Za-z_]\w*/g) ?? []);
  const found: [string, string][] = [];
  if (words.has("g")) found.push(["g", graph.partial(event.node)]);
  if (words.has("z"))
    found.push(["z", said(graph, event.node)]);
  op.inputs.forEach((name, k) => {
    const x = graph.inputs(event.node)[k];
    if (words.has(name) && x !== undefined && name !== graph.titles[x])
      found.push([name, said(graph, x)]);
  });
  return found.length
    ? [
        h(
          "span",
          { class: "meaning" },
          pretty(found.map(([letter, what]) => `${letter} = ${what}`).join(", ")),
        ),
      ]
    : [];
}

function said(graph: Graph, i: number): string {
  return graph.titles[i] + worth(graph, i);
}

/** The number that a node is, unless its title says it already. */
export function worth(graph: Graph, i: number): string {
  const { kind, name, data } = graph.nodes[i];
  const told = kind === "constant" && !name;
  return data === undefined || isStats(data) || told ? "" : ` = ${long(data)}`;
}

/** Heat maps of what arrives, what is added, and the sum, on one scale. */
function fields(
  app: App,
  event: Event,
  part: Part,
  before: Stats | Num | undefined,
  after: Stats | Num | undefined,
): HTMLElement[] {
  const { graph } = app.sheet.value;
  const theme = app.themes.signal.value;
  const arriving = graph.nodes[event.node].grad;
  const rows: [string, Stats | Num | undefined][] = [
    ["arrives", arriving],
    ["adds", part.value],
  ];
  if (part.of > 1) rows.push([before === undefined ? "so far" : "sum so far", after]);
  const shapes = [
    graph.nodes[event.node].shape,
    graph.nodes[part.input].shape,
    graph.nodes[part.input].shape,
  ];
  const previews = rows.map(([, x]) => (isStats(x) ? x.preview : undefined));
  const limit = most(previews as (Preview | undefined)[]);
  const found = h("div", { class: "fields" });
  rows.forEach(([label, x], k) => {
    if (x === undefined) return;
    found.append(
      h(
        "div",
        {},
        h(
          "p",
          {},
          label,
          " ",
          h("span", { class: "faint" }, dimensions(shapes[k])),
          h(
            "span",
            { class: "number" },
            `${isStats(x) ? "norm " : ""}${plainly(x)}`,
          ),
        ),
        previews[k] ? heatmap(previews[k]!, theme, limit, label, 250) : null,
      ),
    );
  });
  const counted =
    part.of > 1
      ? h("p", { class: "faint" }, `${ordinal(part.nth)} of ${part.of} contributions`)
      : null;
  return [found, ...(limit ? [heatKey(limit, theme)] : []), ...(counted ? [counted] : [])];
}

/** A number, or an array's norm. */
export function plainly(x: Stats | Num | undefined): string {
  return x === undefined ? MISSING : long(norm(x));
}
