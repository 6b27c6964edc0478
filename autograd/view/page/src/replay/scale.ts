/** The colour scale of a training: the same for the boxes and for the layers over the steps. */

import { NO_TONE, type Tone } from "../colour";
import { percent } from "../numbers";
import { said } from "./axis";
import type { Replay } from "./state";
import { type Measure, quantile } from "./run";

export const MEASURES: { [measure in Measure]: string } = {
  gradient: "gradient norm",
  weight: "weight norm",
  update: "update : weight",
  zeros: "zeros in the gradient",
};

/** A ratio of 2 to this power, and its inverse, have the strongest colours of a comparison. */
export const STRONGEST = 4;
const STEPS = 9;
const DECADES = 8;
const ENOUGH = 4000; // numbers to find percentiles from

/** From a low to a high percentile of the layers at all steps: outliers do not dim the rest. */
export class Scale {
  low = -1;
  high = 1;

  constructor(
    replay: Replay,
    readonly measure: Measure,
  ) {
    if (measure === "zeros") return;
    const { run } = replay;
    const layers = run.layers.map(({ parameters }) => parameters);
    const logs: number[] = [];
    const add = (x: number | null) => {
      if (x !== null && x > 0 && Number.isFinite(x)) logs.push(Math.log10(x));
    };
    const every = Math.ceil((run.frames.length * layers.length) / ENOUGH);
    for (let k = 0; k < run.frames.length; k += every)
      for (const layer of layers) add(run.value(k, measure, layer));
    logs.sort((a, b) => a - b);
    if (!logs.length) return;
    this.high = quantile(logs, 0.98);
    this.low = Math.max(quantile(logs, 0.02), this.high - DECADES);
    const spare = Math.max(0, 1 - (this.high - this.low)) / 2;
    this.low -= spare;
    this.high += spare;
  }

  /** Which of the nine colours. */
  step(x: number): number {
    const share =
      this.measure === "zeros" ? x : (Math.log10(x) - this.low) / (this.high - this.low);
    return Math.max(0, Math.min(STEPS - 1, Math.floor(share * STEPS)));
  }

  tone(x: number | null): Tone {
    if (x === null) return NO_TONE;
    if (!Number.isFinite(x)) return { kind: "broken" };
    if (x === 0 && this.measure !== "zeros") return { kind: "still" };
    return { kind: "hot", heat: this.step(x) };
  }

  get ends(): [string, string] {
    return this.measure === "zeros"
      ? ["0 %", "100 %"]
      : [said(10 ** this.low), said(10 ** this.high)];
  }
}

/** A number of a measure as it is read. */
export function told(measure: Measure, x: number | null): string {
  return x !== null && measure === "zeros" ? percent(x) : said(x);
}

const scales = new WeakMap<Replay, { version: number; found: Map<Measure, Scale> }>();

/** The scale of what is shown now. */
export function scaleOf(replay: Replay, measure: Measure): Scale {
  const version = replay.version.value;
  let there = scales.get(replay);
  if (there?.version !== version) scales.set(replay, (there = { version, found: new Map() }));
  let scale = there.found.get(measure);
  if (!scale) there.found.set(measure, (scale = new Scale(replay, measure)));
  return scale;
}
