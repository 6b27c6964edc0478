/** What the rings mean, and what they are to mean. */

import type { App } from "./app";
import { type Measure, MEASURES } from "./colour";
import { h, s } from "./dom";

export function legend(app: App): HTMLElement {
  const choice = h("select", { "aria-label": "Colour by" });
  const box = h("div", { class: "legend", role: "group", "aria-label": "Colours" });
  choice.addEventListener("change", () => app.measure.set(choice.value as Measure));
  const refresh = () => {
    const { graph, scales } = app.sheet.value;
    const theme = app.themes.signal.value;
    const has: { [measure in Measure]: boolean } = {
      gradient: graph.nodes.some((node) => node.grad !== undefined),
      zeros: graph.trace.kind !== "values" && graph.trace.events.length > 0,
      held: graph.nodes.some((node) => node.held),
    };
    const able = (Object.keys(MEASURES) as Measure[]).filter((each) => has[each]);
    box.hidden = !able.length;
    if (!able.length) return;
    const measure = has[app.measure.value] ? app.measure.value : able[0];
    app.measure.set(measure);
    choice.replaceChildren(
      ...able.map((each) =>
        h("option", { value: each, selected: each === measure }, MEASURES[each]),
      ),
    );
    const scale = scales[measure];
    const bar = s("svg", { width: 117, height: 10, "aria-hidden": "true" });
    theme.heat.forEach((colour, i) =>
      bar.append(s("rect", { x: 13 * i, width: 13, height: 10, fill: colour })),
    );
    const [low, high] = scale.ends;
    const marks: Node[] = [];
    if (measure === "gradient") {
      const gradients = graph.nodes.map((node) => scale.tone(node.grad).kind);
      if (gradients.includes("still"))
        marks.push(
          mark("zero", {
            stroke: theme.colours.faint,
            "stroke-width": 2.5,
            "stroke-dasharray": "1 4",
            "stroke-linecap": "round",
          }),
        );
      if (gradients.includes("broken"))
        marks.push(
          mark("nan or ∞", {
            stroke: theme.colours.alarm,
            "stroke-width": 3,
            "stroke-dasharray": "7 3",
          }),
        );
      if (app.stepping.value && graph.trace.events.length)
        marks.push(
          mark("incomplete", {
            stroke: theme.heat[5],
            "stroke-width": 3,
            "stroke-dasharray": "6 4",
          }),
        );
    }
    box.replaceChildren(
      choice,
      h(
        "span",
        { class: "scale" },
        h("span", { class: "number" }, low),
        bar,
        h("span", { class: "number" }, high),
      ),
      ...marks,
    );
  };
  for (const signal of [app.sheet, app.measure, app.themes.signal, app.stepping] as {
    watch(f: () => void): void;
  }[])
    signal.watch(refresh);
  return box;
}

function mark(name: string, ring: { [name: string]: string | number }): HTMLElement {
  return h(
    "span",
    { class: "mark" },
    s(
      "svg",
      { width: 24, height: 14, "aria-hidden": "true" },
      s("rect", { x: 2, y: 2, width: 20, height: 10, rx: 4, fill: "none", ...ring }),
    ),
    name,
  );
}
