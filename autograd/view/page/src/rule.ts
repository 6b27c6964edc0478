/** The panel of a step: the chain rule with the numbers of this graph. */

import type { App } from "./app";
import { button, h } from "./dom";
import { heatKey, heatmap, most } from "./heatmap";
import { counted, dimensions, isStats, long, MISSING, ordinal, short } from "./numbers";
import { formula, itemLink, link, pretty } from "./parts";
import type { Event, Num, Part, Preview, Stats } from "./trace";
import type { Item } from "./tree";

export function stepPanel(app: App): HTMLElement {
  const panel = h("section", { class: "step", "aria-label": "Step of backpropagation" });
  const refresh = () => {
    panel.hidden = !app.stepping.value;
    if (!panel.hidden) panel.replaceChildren(...content(app));
  };
  for (const signal of [app.position, app.stepping, app.scene, app.themes.signal] as {
    watch(f: () => void): void;
  }[])
    signal.watch(refresh);
  return panel;
}

/** A step in one sentence, for who hears the page. */
export function spoken(app: App): string {
  const { graph, timeline, fold } = app.sheet.value;
  const moment = timeline.at(app.position.value);
  if (moment.phase === "start") return "Before the forward pass";
  const name = graph.titles[moment.node];
  const item = fold.shown(moment.node);
  if (item.kind !== "node") return `${item.title}, ${moment.phase}`;
  const { data } = graph.nodes[moment.node];
  if (moment.phase === "forward")
    return `Forward: ${name}${data !== undefined && !isStats(data) ? ` is ${long(data)}` : ""}`;
  if (moment.phase === "seed") return `The gradient of ${name} by itself is 1`;
  const told = moment.event.parts.map((part) => {
    const { after } = timeline.around(part);
    const sum =
      after !== undefined
        ? `, now ${isStats(after) ? `norm ${short(after.norm)}` : long(after)}`
        : "";
    const added =
      part.value === undefined
        ? ""
        : isStats(part.value)
          ? `norm ${short(part.value.norm)}`
          : long(part.value);
    return `${graph.titles[part.input]} gets ${added}${sum}`;
  });
  return `Backward through ${graph.nodes[moment.node].op}: ${told.join("; ") || "nothing flows on"}`;
}

function content(app: App): HTMLElement[] {
  const { graph, timeline, fold } = app.sheet.value;
  const moment = timeline.at(app.position.value);
  const close = button("close", "End stepping (Escape)", () => app.stopStepping(), {
    class: "close",
  });
  if (moment.phase === "start")
    return [
      head("Before the forward pass", close),
      h("p", { class: "faint" }, "Only what was given is known: inputs, parameters, constants."),
    ];
  const i = moment.node;
  const item = fold.shown(i);
  if (item.kind !== "node") return folded(app, item, moment.phase, close);
  if (moment.phase === "seed")
    return [
      head("backward begins", close),
      h(
        "div",
        { class: "equation" },
        h(
          "p",
          { class: "symbols" },
          graph.partial(i),
          h("b", {}, " = "),
          seed(graph.nodes[i].grad),
        ),
      ),
      h(
        "p",
        { class: "faint" },
        "Whatever moves it moves it by as much: the gradient of a number by itself is 1.",
      ),
    ];
  if (moment.phase === "forward") return forward(app, i, close);
  return backward(app, moment.event, close);
}

function head(text: string | Node, ...more: (Node | null)[]): HTMLElement {
  return h("header", {}, h("h2", {}, text), ...more);
}

function seed(grad: Stats | Num | undefined): string {
  return grad === undefined ? "1" : isStats(grad) ? short(grad.max) : long(grad);
}

function folded(app: App, item: Item, phase: string, close: HTMLElement): HTMLElement[] {
  const { timeline, fold } = app.sheet.value;
  const position = app.position.value;
  let from = position;
  while (from > 1) {
    const before = timeline.at(from - 1);
    if (before.phase === "start" || before.phase !== phase || fold.shown(before.node) !== item)
      break;
    from--;
  }
  const count = position - from + 1;
  const list = h("ol", { class: "inner" });
  for (let at = from; at <= position && at < from + 12; at++) {
    const moment = timeline.at(at);
    if (moment.phase !== "start") list.append(h("li", {}, link(app, moment.node)));
  }
  if (count > 12) list.append(h("li", { class: "faint" }, `and ${count - 12} more`));
  return [
    head(`${item.title} ${phase}, ${counted(count, "operation")}`, close),
    h(
      "p",
      { class: "actions" },
      button("Step into", "Unfold it, and go to its first operation", () => void app.stepInto(), {
        class: "plain",
      }),
    ),
    list,
    h("p", { class: "faint" }, "It counts as one step while it is folded."),
  ];
}

function forward(app: App, i: number, close: HTMLElement): HTMLElement[] {
  const { graph } = app.sheet.value;
  const each = graph.nodes[i];
  const op = graph.op(i);
  const numbers = each.data !== undefined && !isStats(each.data);
  const given = h("p", { class: "given" });
  (each.inputs ?? []).forEach((x, k) => {
    const name = op?.inputs[k] ?? op?.inputs.at(-1)?.replace("*", "") ?? "";
    const { data } = graph.nodes[x];
    given.append(
      h(
        "span",
        {},
        name,
        " = ",
        link(app, x),
        numbers && data !== undefined
          ? ` = ${plainly(data)}`
          : ` ${dimensions(graph.nodes[x].shape)}`,
      ),
    );
  });
  return [
    head("forward", close),
    h(
      "div",
      { class: "equation" },
      h(
        "p",
        { class: "symbols" },
        link(app, i),
        h("b", {}, " = "),
        op?.formula.replace(/^.*? = /, "").replaceAll(" * ", " · ") ?? "",
      ),
      numbers ? h("p", { class: "number result" }, `= ${plainly(each.data)}`) : null,
      given,
    ),
    h("p", { class: "faint" }, op?.doc ?? ""),
  ];
}

function backward(app: App, event: Event, close: HTMLElement): HTMLElement[] {
  const { graph } = app.sheet.value;
  const arriving = graph.nodes[event.node].grad;
  const heading = h("span", {}, "backward through ", h("em", {}, graph.symbol(event.node)));
  const found = [
    head(heading, close),
    h(
      "p",
      { class: "arrives" },
      h("span", { class: "faint" }, "arrives "),
      graph.partial(event.node),
      " = ",
      h(
        "span",
        { class: "number" },
        graph.nodes[event.node].parts
          ? "in its parts"
          : `${isStats(arriving) && graph.nodes[event.node].shape?.length ? "norm " : ""}${plainly(arriving)}`,
      ),
    ),
  ];
  const shown = event.parts.slice(0, 24);
  for (const part of shown) found.push(contribution(app, event, part));
  if (event.parts.length > shown.length)
    found.push(h("p", { class: "faint" }, `and ${event.parts.length - shown.length} more inputs`));
  if (!event.parts.length)
    found.push(h("p", { class: "faint" }, "No input needs a gradient: it flows no further."));
  return found;
}

function contribution(app: App, event: Event, part: Part): HTMLElement {
  const { graph, timeline } = app.sheet.value;
  const op = graph.op(event.node);
  const rule = op?.rules[part.position] ?? op?.rules.at(-1);
  const z = graph.partial(event.node);
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
      z,
      scalar ? ` · ∂${graph.titles[event.node]}/∂${graph.titles[part.input]}` : "",
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
  if (rule) box.append(h("p", { class: "law" }, formula(rule), ...meaning(app, event, rule)));
  if (!scalar) box.append(...fields(app, event, part, before, after));
  return box;
}

/** What the letters of a rule stand for. */
function meaning(app: App, event: Event, rule: string): HTMLElement[] {
  const { graph } = app.sheet.value;
  const op = graph.op(event.node)!;
  const words = new Set(rule.match(/[A-Za-z_]\w*/g) ?? []);
  const found: [string, string][] = [];
  if (words.has("g")) found.push(["g", graph.partial(event.node)]);
  if (words.has("z"))
    found.push(["z", said(graph.titles[event.node], graph.nodes[event.node].data)]);
  op.inputs.forEach((name, k) => {
    const x = graph.inputs(event.node)[k];
    if (words.has(name) && x !== undefined && name !== graph.titles[x])
      found.push([name, said(graph.titles[x], graph.nodes[x].data)]);
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

function said(name: string, data: Stats | Num | undefined): string {
  return data === undefined || isStats(data) ? name : `${name} = ${long(data)}`;
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
            `${isStats(x) && shapes[k]?.length ? "norm " : ""}${plainly(x)}`,
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

function plainly(x: Stats | Num | undefined): string {
  return x === undefined ? MISSING : long(isStats(x) ? x.norm : x);
}
