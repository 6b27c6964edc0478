/** What the rings mean while the training is replayed. */

import { h, s } from "../dom";
import { diverging } from "../heatmap";
import { MEASURES, scaleOf, STRONGEST } from "./scale";
import type { Measure } from "./run";
import type { Replay } from "./state";

const CELL = 13;
const CELLS = 9;

export function legend(replay: Replay): HTMLElement {
  const choice = h("select", { "aria-label": "Colour by" });
  for (const measure of Object.keys(MEASURES))
    choice.append(h("option", { value: measure }, MEASURES[measure as Measure]));
  choice.addEventListener("change", () => replay.measure.set(choice.value as Measure));
  const scale = h("span", { class: "scale" });
  const words = h("span");
  const box = h(
    "div",
    { class: "legend replay", role: "group", "aria-label": "Colours" },
    choice,
    scale,
    words,
  );
  const refresh = () => {
    const { app, run } = replay;
    const measure = replay.measure.value;
    const theme = app.themes.signal.value;
    const comparing = replay.against.value !== null;
    choice.value = measure;
    const [low, high] = comparing
      ? [`÷${2 ** STRONGEST}`, `×${2 ** STRONGEST}`]
      : scaleOf(replay, measure).ends;
    const bar = s("svg", { width: CELL * CELLS, height: 10, "aria-hidden": "true" });
    for (let i = 0; i < CELLS; i++) {
      const fill = comparing ? diverging((2 * i) / (CELLS - 1) - 1, 1, theme) : theme.heat[i];
      bar.append(s("rect", { x: CELL * i, width: CELL, height: 10, style: `fill:${fill}` }));
    }
    scale.replaceChildren(
      h("span", { class: "number" }, low),
      bar,
      h("span", { class: "number" }, high),
    );
    const probe = run.earlier(replay.at.value, "probe");
    words.textContent =
      measure !== "gradient"
        ? "parameters only"
        : !probe
          ? "operations: not probed yet"
          : probe.step === replay.step
            ? ""
            : `operations as of step ${probe.step.toLocaleString("en")}`;
  };
  for (const signal of [
    replay.measure,
    replay.at,
    replay.version,
    replay.against,
    replay.app.themes.signal,
  ] as { watch(f: () => void): void }[])
    signal.watch(refresh);
  return box;
}
