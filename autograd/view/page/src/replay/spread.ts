/** What is selected, at the current step and over time: its numbers, and how they are spread. */

import { h } from "../dom";
import { histogram } from "../histogram";
import { dimensions } from "../numbers";
import type { Hist } from "../trace";
import { Chart, type Tip } from "./chart";
import { said } from "./axis";
import type { Frame } from "./run";
import { MEASURES, told } from "./scale";
import type { Replay } from "./state";
import { type Area, stretches, write } from "./strokes";

type Kind = "weight_hist" | "gradient_hist";

const KINDS: [Kind, string][] = [
  ["weight_hist", "weights"],
  ["gradient_hist", "gradients"],
];
const HIGH = 110;

/** The panel of what is selected. */
export function spread(replay: Replay, tip: Tip): HTMLElement {
  const box = h("section", { class: "selected", "aria-label": "What is selected" });
  const head = h("h2");
  const facts = h("dl", { class: "facts" });
  const bars = h("div", { class: "pair" });
  const strips = KINDS.map(
    ([kind, name]) => new Strip(replay, tip, kind, `${name} over time`).chart.element,
  );
  box.append(head, facts, bars, ...strips);
  const refresh = () => {
    const row = replay.row.value;
    box.hidden = !row;
    if (!row) return;
    const { run } = replay;
    const k = replay.at.value;
    const [only] = row.parameters;
    const single = row.parameters.length === 1;
    head.replaceChildren(
      row.name,
      h(
        "span",
        { class: "faint" },
        single
          ? dimensions(run.header.parameters[only].shape)
          : `${row.parameters.length} parameters`,
      ),
    );
    facts.replaceChildren();
    for (const measure of ["gradient", "weight", "update", "zeros"] as const)
      facts.append(
        h("dt", {}, MEASURES[measure]),
        h("dd", { class: "number" }, told(measure, run.value(k, measure, row.parameters))),
      );
    const frame = run.earlier(k, "weight_hist");
    bars.replaceChildren(
      ...(frame
        ? KINDS.map(([kind, name]) => {
            const hist = together(frame, kind, row.parameters);
            const when =
              frame.step === replay.step ? "" : ` at step ${frame.step.toLocaleString("en")}`;
            return h(
              "div",
              {},
              h("h3", {}, `${name}${when}`),
              hist ? histogram(hist, `${name}${when}: how many of which size`) : "—",
            );
          })
        : []),
    );
  };
  for (const signal of [replay.row, replay.at, replay.version] as { watch(f: () => void): void }[])
    signal.watch(refresh);
  return box;
}

/** The histogram of some parameters together. */
function together(frame: Frame, kind: Kind, parameters: number[]): Hist | null {
  const hists = parameters.flatMap((i) => frame[kind]?.[i] ?? []);
  if (!hists.length) return null;
  const filled = hists.filter(({ negative, positive }) => negative.length + positive.length);
  const first = Math.min(...filled.map((hist) => hist.first));
  const last = Math.max(
    ...filled.map((hist) => hist.first + Math.max(hist.negative.length, hist.positive.length)),
  );
  const bins = filled.length ? last - first : 0;
  const sum: Hist = {
    first: filled.length ? first : 0,
    negative: Array(bins).fill(0),
    zero: 0,
    positive: Array(bins).fill(0),
  };
  for (const hist of hists) {
    sum.zero += hist.zero;
    for (const side of ["negative", "positive"] as const)
      hist[side].forEach((x, k) => (sum[side][k + hist.first - first] += x));
  }
  return sum;
}

/** Histograms side by side: the darker, the more numbers of that size. */
class Strip {
  readonly chart: Chart;

  constructor(
    private readonly replay: Replay,
    tip: Tip,
    private readonly kind: Kind,
    title: string,
  ) {
    this.chart = new Chart(
      replay,
      {
        title,
        height: () => HIGH,
        draw: (area) => this.draw(area),
        read: (k) => this.read(k),
        summary: () => "Powers of two above and below zero, by step",
        shown: () =>
          !!replay.row.value &&
          replay.run.frames.some((frame) => frame[this.kind]?.[replay.row.value!.parameters[0]]),
      },
      tip,
    );
  }

  private get found(): { step: number; hist: Hist }[] {
    const { run, row } = this.replay;
    return run.frames.flatMap((frame) => {
      const hist = frame[this.kind] && together(frame, this.kind, row.value!.parameters);
      return hist ? [{ step: frame.step, hist }] : [];
    });
  }

  private draw(area: Area): void {
    const { found } = this;
    if (!found.length) return;
    const { context, theme, left } = area;
    const first = Math.min(...found.map(({ hist }) => hist.first));
    const last = Math.max(
      ...found.map(({ hist }) => hist.first + Math.max(hist.negative.length, hist.positive.length)),
    );
    // the smallest sizes say little and would take most of the room
    const low = Math.max(first, last - 18);
    const bins = last - low;
    const high = HIGH / (2 * bins + 1);
    const most = Math.max(
      ...found.map(({ hist }) => Math.max(1, ...hist.negative, ...hist.positive)),
    );
    context.fillStyle = theme.kind("parameter")[1];
    const steps = found.map(({ step }) => step);
    this.chart.legend.replaceChildren(h("span", {}, `recorded at ${steps.length} steps`));
    stretches(area, steps, (k, x, width) => {
      const { hist } = found[k];
      const strength = context.globalAlpha;
      const cell = (place: number, count: number) => {
        if (!count) return;
        context.globalAlpha = strength * Math.min(1, 0.06 + 0.94 * Math.sqrt(count / most));
        context.fillRect(x, place * high, width, high);
      };
      let zero = hist.zero;
      for (const [side, sign] of [
        ["positive", -1],
        ["negative", 1],
      ] as const)
        hist[side].forEach((count, i) => {
          const away = i + hist.first - low;
          if (away < 0) zero += count;
          else cell(bins + sign * (away + 1), count);
        });
      cell(bins, zero);
    });
    const label = (text: string, y: number) =>
      write(area, text, left - 8, y, { align: "right", number: true, size: 10.5 });
    label(said(2 ** last), 6);
    label("0", HIGH / 2);
    label(said(-(2 ** last)), HIGH - 6);
  }

  private read(k: number): string[] {
    const frame = this.replay.run.earlier(k, "weight_hist");
    const hist =
      frame &&
      this.replay.row.value &&
      together(frame, this.kind, this.replay.row.value.parameters);
    if (!hist) return [];
    const all = [...hist.negative, ...hist.positive].reduce((a, b) => a + b, hist.zero);
    return [
      `${all.toLocaleString("en")} numbers, ${hist.zero.toLocaleString("en")} exactly 0`,
      `recorded at step ${frame.step.toLocaleString("en")}`,
    ];
  }
}
