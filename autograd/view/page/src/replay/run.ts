/** A recorded training, as Python writes it: a header, and a frame for every so many steps. */

import { float } from "../numbers";
import type { GraphTrace, Hist, Num } from "../trace";

export interface Parameter {
  name: string;
  shape: number[];
  layer: string;
}

/** An activation: shares of its outputs that are saturated, and of its units that are dead. */
export interface Units {
  saturated: number;
  dead: number;
  mean: Num;
  std: Num;
}

export interface Header {
  title: string;
  every: number;
  started: string;
  parameters: Parameter[];
  activations: { name: string; kind: string }[];
  trace?: GraphTrace;
  /** Of all nodes of the graph, where it is known. */
  keys?: string[];
  notes: string[];
  ended?: boolean;
}

type Numbers = (Num | null)[];

export interface Frame {
  step: number;
  epoch?: number;
  seconds: number;
  loss: Num | null;
  lr?: number;
  norm?: Num;
  clipped?: boolean;
  logs?: { [name: string]: Num };
  weight: Numbers;
  gradient: Numbers;
  /** Norm of the actual change by the norm of the weight. */
  update: Numbers;
  /** Share of exact zeros of the gradient. */
  zeros: Numbers;
  weight_hist?: (Hist | null)[];
  gradient_hist?: (Hist | null)[];
  probe?: { nodes: { [key: string]: Num }; activations: Units[] };
}

export type Measure = "gradient" | "weight" | "update" | "zeros";

/** More frames than these are thinned, as the recorder does. */
const LIMIT = 2400;

export const BARE: Header = {
  title: "training",
  every: 1,
  started: "",
  parameters: [],
  activations: [],
  notes: [],
};

export class Run {
  readonly frames: Frame[] = [];
  /** The parameters from the input to the output: places in the header. */
  order: number[] = [];
  private named: { of: Parameter[]; places: Map<string, number> } = { of: [], places: new Map() };

  constructor(
    public header: Header,
    frames: Frame[] = [],
    trace?: GraphTrace,
  ) {
    for (const frame of frames) this.take(frame);
    this.arrange(trace);
  }

  /** Put the parameters in the order in which the graph reads them. */
  arrange(trace: GraphTrace | undefined): void {
    const { parameters } = this.header;
    const first = new Map<string, number>();
    trace?.nodes.forEach(({ inputs }, i) => {
      for (const x of inputs ?? []) {
        const { key } = trace.nodes[x];
        if (!first.has(key)) first.set(key, i);
      }
    });
    const place = (i: number) => first.get(parameters[i].name) ?? Infinity;
    this.order = parameters.map((_, i) => i).sort((a, b) => place(a) - place(b) || a - b);
  }

  /** A frame, or what amends one. */
  take(frame: Frame): void {
    const at = this.before(frame.step);
    const there = this.frames[at];
    if (there?.step === frame.step) {
      const logs = { ...there.logs, ...frame.logs };
      Object.assign(there, frame, { logs });
    } else if ("loss" in frame) this.frames.splice(at + 1, 0, frame);
    if (this.frames.length > LIMIT) this.thin();
  }

  private thin(): void {
    const apart = 2 * Math.max(1, this.frames[1].step - this.frames[0].step);
    const kept: Frame[] = [];
    for (const frame of this.frames) {
      if (frame.step % apart === 0 || !kept.length) kept.push(frame);
      else if (frame.logs) kept.at(-1)!.logs = { ...kept.at(-1)!.logs, ...frame.logs };
    }
    this.frames.splice(0, Infinity, ...kept);
  }

  /** The layers from the input to the output, with their parameters. */
  get layers(): { name: string; parameters: number[] }[] {
    const found = new Map<string, number[]>();
    for (const i of this.order) {
      const { layer, name } = this.header.parameters[i];
      const there = found.get(layer || name);
      if (there) there.push(i);
      else found.set(layer || name, [i]);
    }
    return [...found].map(([name, parameters]) => ({ name, parameters }));
  }

  get last(): number {
    return this.frames.length - 1;
  }

  /** The last frame at or before a step: -1 before the first. */
  before(step: number): number {
    let low = 0;
    let high = this.frames.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.frames[middle].step > step) high = middle;
      else low = middle + 1;
    }
    return low - 1;
  }

  /** The nearest frame, not after the kth, that has this. */
  earlier(k: number, has: "probe" | "weight_hist"): Frame | null {
    for (; k >= 0; k--) if (this.frames[k]?.[has]) return this.frames[k];
    return null;
  }

  index(name: string): number {
    const { parameters } = this.header;
    if (this.named.of !== parameters)
      this.named = { of: parameters, places: new Map(parameters.map((each, i) => [each.name, i])) };
    return this.named.places.get(name) ?? -1;
  }

  /** A number of some parameters together, in the kth frame: null where there is none. */
  value(k: number, measure: Measure, parameters: number[]): number | null {
    const frame = this.frames[k];
    if (!frame) return null;
    const found = frame[measure];
    if (parameters.length === 1) return read(found[parameters[0]]);
    let sum = 0;
    let weights = 0;
    let none = true;
    for (const i of parameters) {
      const x = read(found[i]);
      if (x === null) continue;
      none = false;
      if (measure === "zeros") {
        const size = count(this.header.parameters[i].shape);
        sum += x * size;
        weights += size;
      } else if (measure === "update") {
        const weight = read(frame.weight[i]) ?? 0;
        sum += (x * weight) ** 2;
        weights += weight ** 2;
      } else sum += x * x;
    }
    if (none) return null;
    if (measure === "zeros") return sum / weights;
    return measure === "update" ? (weights ? Math.sqrt(sum / weights) : null) : Math.sqrt(sum);
  }

  /** Numbers by name that are logged beside the loss, as (frame, number). */
  logged(): Map<string, [number, number][]> {
    const found = new Map<string, [number, number][]>();
    this.frames.forEach(({ logs }, k) => {
      for (const [name, x] of Object.entries(logs ?? {})) {
        const there = found.get(name);
        if (there) there.push([k, float(x)]);
        else found.set(name, [[k, float(x)]]);
      }
    });
    return found;
  }
}

export function read(x: Num | null | undefined): number | null {
  return x === null || x === undefined ? null : float(x);
}

export function count(shape: number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Of sorted numbers the one below which such a share lies. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}
