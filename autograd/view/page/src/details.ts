/** The panel about what is selected: a node, a folded module, or the whole graph. */

import type { App } from "./app";
import { variable } from "./code";
import { button, h } from "./dom";
import { adds, readings } from "./flow";
import { ends, inside, operations } from "./fold";
import { bytes, counted, MISSING } from "./numbers";
import { datum, facts, formula, itemLink, link, shapeOf, source, swatch } from "./parts";
import type { Item } from "./tree";

/** So many of a long list are shown. */
const FEW = 12;

export function details(app: App): HTMLElement {
  const panel = h("section", { class: "details", "aria-label": "Details" });
  const refresh = () => {
    panel.hidden = app.stepping.value && !app.selected.value;
    panel.replaceChildren(...about(app, app.selected.value));
  };
  let asked = false;
  const later = () => {
    if (asked) return;
    asked = true;
    queueMicrotask(() => {
      asked = false;
      refresh();
    });
  };
  for (const signal of [app.selected, app.sheet, app.themes.signal, app.scene, app.stepping] as {
    watch(f: () => void): void;
  }[])
    signal.watch(later);
  let step = -1;
  app.position.watch((position) => {
    if (position !== step) later();
    step = position;
  });
  return panel;
}

function about(app: App, item: Item | null): HTMLElement[] {
  if (!item) return overview(app);
  return item.kind === "node" ? node(app, item.index) : group(app, item);
}

function overview(app: App): HTMLElement[] {
  const { trace, graph, timeline } = app.sheet.value;
  const parameters = graph.nodes.filter((each) => each.kind === "parameter").length;
  const held = graph.nodes.reduce((sum, each) => sum + (each.held ?? 0), 0);
  const kinds = ["input", "parameter", "constant", "value", "output", "op"];
  const used = kinds.filter(
    (kind) => kind === "op" || graph.nodes.some((each) => each.kind === kind),
  );
  const key = h("ul", { class: "kinds" });
  for (const kind of used)
    key.append(h("li", {}, swatch(app, kind), kind === "op" ? "operation" : kind));
  return [
    h("h2", {}, trace.title),
    facts([
      [
        "graph",
        `${counted(graph.nodes.length, "node")}, ${counted(timeline.forward.length, "operation")}`,
      ],
      ["modules", trace.scopes.length ? counted(trace.scopes.length, "call") : null],
      [
        "parameters",
        parameters ? counted(parameters, trace.kind === "values" ? "number" : "array") : null,
      ],
      ["kept for backward", held ? bytes(held) : null],
      ["made by", `glassgrad ${trace.made?.glassgrad ?? ""}, ${trace.made?.backend ?? ""}`],
    ]),
    key,
    ...trace.notes.map((note) => h("p", { class: "note" }, note)),
    h(
      "p",
      { class: "hint" },
      "Click a box to see what it holds. Double click a module to unfold it, a frame to fold it; ",
      "the buttons above do it level by level, with shift all at once. ",
      h("kbd", {}, "/"),
      " searches, ",
      h("kbd", {}, "n"),
      " and ",
      h("kbd", {}, "p"),
      " step through backpropagation.",
    ),
  ];
}

function node(app: App, i: number): HTMLElement[] {
  const { graph, fold, timeline, trace } = app.sheet.value;
  const each = graph.nodes[i];
  const op = graph.op(i);
  const found: HTMLElement[] = [
    h("h2", {}, swatch(app, each.kind), graph.titles[i]),
    h("p", { class: "crumbs" }, ...crumbs(app, fold.tree.leaves[i])),
  ];
  if (op) {
    found.push(
      h(
        "div",
        { class: "op" },
        formula(`${graph.titles[i]} = ${graph.formula(i)}`),
        h("p", {}, op.doc),
        each.params ? h("p", { class: "number faint" }, each.params) : null,
      ),
    );
  }
  const inputs = h("ul", { class: "links" });
  (each.inputs ?? []).forEach((x, k) =>
    inputs.append(
      h("li", {}, h("span", { class: "faint number" }, graph.operand(i, k)), link(app, x)),
    ),
  );
  const readers = h("ul", { class: "links" });
  const reads = readings(graph, i);
  for (const flow of reads.slice(0, FEW))
    readers.append(
      h("li", {}, link(app, flow.reader!), h("span", { class: "adds number" }, adds(app, flow))),
    );
  if (reads.length > FEW)
    readers.append(h("li", { class: "faint" }, `and ${reads.length - FEW} more`));
  found.push(
    facts([
      [
        each.parts ? "results" : "holds",
        each.parts
          ? String(each.parts)
          : each.shape === undefined
            ? "a number"
            : shapeOf(each.shape, each.dtype),
      ],
      ["computed from", each.inputs?.length ? inputs : null],
      ["read by", graph.readers[i].length ? readers : null],
      ["kept for backward", each.held ? bytes(each.held) : null],
      ["in the code", variable(app, i)],
    ]),
  );
  if (each.data !== undefined) found.push(h("h3", {}, "data"), datum(app, each.data, "data"));
  if (each.kind !== "constant" && !each.parts) found.push(...gradient(app, i));
  const rules = (op?.rules ?? []).map(
    (rule, k) =>
      rule &&
      h("li", {}, h("span", { class: "faint number" }, graph.operand(i, k)), formula(rule)),
  );
  if (rules.some(Boolean) && trace.events.length)
    found.push(
      h("h3", {}, "how the gradient flows back"),
      h("ul", { class: "rules" }, ...rules),
      h(
        "p",
        { class: "faint" },
        `g = ${graph.partial(i)}, the gradient that arrives; z = ${graph.titles[i]}, the result`,
      ),
    );
  if (each.where) found.push(h("h3", {}, "where"), source(app, each.where));
  if (timeline.length)
    found.push(
      h(
        "p",
        {},
        button(
          trace.events.length ? "Go to its step" : "Go to its computation",
          "Move the time line to the step of this node",
          () => app.step(timeline.of(i)),
          { class: "plain" },
        ),
      ),
    );
  return found;
}

function gradient(app: App, i: number): HTMLElement[] {
  const { graph, timeline } = app.sheet.value;
  const each = graph.nodes[i];
  const { state, value, nth, of } = timeline.gradient(i, app.position.value);
  const heading = h("h3", {}, "gradient");
  if (value !== undefined) {
    if (state === "partial")
      heading.append(h("span", { class: "partial" }, `${nth} of ${of} contributions so far`));
    return [heading, datum(app, value, "gradient")];
  }
  const why =
    each.grad !== undefined
      ? "not computed yet at this step"
      : each.requires_grad
        ? "not computed: no gradient reaches it"
        : "not computed: it needs no gradient";
  return [heading, h("p", {}, h("span", { class: "number" }, MISSING), ` ${why}`)];
}

function group(app: App, item: Item): HTMLElement[] {
  const { graph, fold, trace, timeline } = app.sheet.value;
  const scope = item.kind === "scope" ? trace.scopes[item.index] : undefined;
  const { entry, exit } = ends(graph, item);
  let held = 0;
  const parameters: number[] = [];
  for (const i of inside(item)) {
    held += graph.nodes[i].held ?? 0;
    if (graph.nodes[i].kind === "parameter") parameters.push(i);
  }
  const open = fold.isOpen(item);
  const list = h("ul", { class: "links" });
  for (const i of parameters.slice(0, FEW)) list.append(h("li", {}, link(app, i)));
  if (parameters.length > FEW)
    list.append(h("li", { class: "faint" }, `and ${parameters.length - FEW} more`));
  return [
    h("h2", {}, item.title),
    h("p", { class: "crumbs" }, ...crumbs(app, item)),
    facts([
      ["from … to", entry && exit ? `${entry} → ${exit}` : null],
      [
        "inside",
        `${counted(operations(graph, item), "operation")}, ${counted(item.count, "node")}`,
      ],
      ["parameters", parameters.length ? list : null],
      ["kept for backward", held ? bytes(held) : null],
    ]),
    h(
      "p",
      { class: "actions" },
      button(
        open ? "Fold" : "Unfold",
        `${open ? "Fold" : "Unfold"} ${item.title}`,
        () => void app.toggle(item),
        { class: "plain" },
      ),
      timeline.length > 0 &&
        button(
          "Go to its step",
          "Move the time line to where this is done",
          () => app.step(timeline.of(item.last)),
          { class: "plain" },
        ),
    ),
    ...(scope?.where ? [h("h3", {}, "where"), source(app, scope.where)] : []),
  ];
}

/** The items around an item, outermost first. */
function crumbs(app: App, item: Item): (HTMLElement | string)[] {
  const found: (HTMLElement | string)[] = [];
  for (let at = item.parent; at && at.parent; at = at.parent)
    found.unshift(itemLink(app, at), found.length ? " › " : "");
  return found;
}
