/** The panel of a step: the chain rule with the numbers of this graph. */

import type { App } from "./app";
import { variable } from "./code";
import { contribution, plainly, worth } from "./contribution";
import { button, h } from "./dom";
import { counted, dimensions, finite, isStats, long, norm, short } from "./numbers";
import { link, pretty } from "./parts";
import type { Event, Num, Stats } from "./trace";
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
  if (moment.phase === "seed")
    return `Backward begins: the gradient of ${name} is ${seed(graph.nodes[moment.node].grad)}`;
  const told = moment.event.parts.map((part) => {
    const { after } = timeline.around(part);
    const sum =
      after !== undefined
        ? `, now ${isStats(after) ? `norm ${short(norm(after))}` : long(after)}`
        : "";
    const added =
      part.value === undefined
        ? ""
        : isStats(part.value)
          ? `norm ${short(norm(part.value))}`
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
        seed(graph.nodes[i].grad) === "1"
          ? "Whatever moves it moves it by as much: the gradient of a number by itself is 1."
          : "That is the gradient that the backward pass was given to begin with.",
      ),
    ];
  if (moment.phase === "forward") return forward(app, i, close);
  return backward(app, moment.event, close);
}

function head(text: string | Node, ...more: (Node | null)[]): HTMLElement {
  return h("header", {}, h("h2", {}, text), ...more);
}

function seed(grad: Stats | Num | undefined): string {
  if (grad === undefined) return "1";
  if (!isStats(grad)) return long(grad);
  return finite(grad) && grad.min === grad.max ? long(grad.max) : `norm ${long(norm(grad))}`;
}

function folded(app: App, item: Item, phase: string, close: HTMLElement): HTMLElement[] {
  const { timeline } = app.sheet.value;
  const position = app.position.value;
  const from = app.first(position);
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
    const { shape } = graph.nodes[x];
    given.append(
      h(
        "span",
        {},
        graph.operand(i, k),
        " = ",
        link(app, x),
        worth(graph, x) || (shape?.length ? ` ${dimensions(shape)}` : ""),
      ),
    );
  });
  if (each.params) given.append(h("span", {}, each.params));
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
        pretty(graph.formula(i)),
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
          : `${isStats(arriving) ? "norm " : ""}${plainly(arriving)}`,
      ),
    ),
  ];
  const called = variable(app, event.node);
  if (called)
    found.push(h("p", { class: "where" }, `in the code, ${graph.titles[event.node]} is ${called}`));
  const shown = event.parts.slice(0, 24);
  for (const part of shown) found.push(contribution(app, event, part));
  if (event.parts.length > shown.length)
    found.push(h("p", { class: "faint" }, `and ${event.parts.length - shown.length} more inputs`));
  if (!event.parts.length)
    found.push(h("p", { class: "faint" }, "No input needs a gradient: it flows no further."));
  return found;
}
