/** What a box's ring says: a measure of a node, and its place on a scale. */

import type { Graph } from "./graph";
import { bytes, isStats, size } from "./numbers";
import type { Num, Stats } from "./trace";

/** A ring: none where nothing was computed; zero, broken and unfinished are no numbers. */
export type Tone =
  { kind: "none" | "still" | "broken" } | { kind: "hot" | "partial"; heat: number };

export type Measure = "gradient" | "zeros" | "held";

export const MEASURES: { [measure in Measure]: string } = {
  gradient: "gradient size",
  zeros: "zeros in the gradient",
  held: "held for backward",
};

/** Decades of gradient that the colours tell apart. */
const DECADES = 8;
const HEATS = 9;

export const NO_TONE: Tone = { kind: "none" };

export class Scale {
  low = 0;
  high = 1;

  constructor(
    readonly measure: Measure,
    graph: Graph,
  ) {
    if (measure === "zeros") return;
    const found = graph.nodes.map((node) =>
      measure === "held" ? (node.held ?? 0) : size(node.grad),
    );
    const logs = found.filter((x): x is number => !!x && Number.isFinite(x)).map(Math.log10);
    this.high = logs.reduce((a, b) => Math.max(a, b), logs[0] ?? 0);
    this.low = Math.max(
      logs.reduce((a, b) => Math.min(a, b), logs[0] ?? 0),
      this.high - DECADES,
    );
    const spare = Math.max(0, 1 - (this.high - this.low)) / 2;
    this.low -= spare;
    this.high += spare;
  }

  /** The words at the two ends. */
  get ends(): [string, string] {
    if (this.measure === "zeros") return ["0 %", "100 %"];
    const say = (x: number) => (this.measure === "held" ? bytes(Math.round(x)) : round(x));
    return [say(10 ** this.low), say(10 ** this.high)];
  }

  /** The ring for a gradient (or, of `held`, a number of bytes). */
  tone(x: Stats | Num | undefined, unfinished = false): Tone {
    if (x === undefined) return NO_TONE;
    if (this.measure === "zeros") {
      const share = isStats(x) ? x.zeros : x === 0 ? 1 : 0;
      return { kind: unfinished ? "partial" : "hot", heat: this.step(share) };
    }
    const large = size(x)!;
    if (this.measure === "held")
      return large ? { kind: "hot", heat: this.step(Math.log10(large)) } : NO_TONE;
    if (!Number.isFinite(large)) return { kind: "broken" };
    if (unfinished) return { kind: "partial", heat: large ? this.step(Math.log10(large)) : 0 };
    return large === 0 ? { kind: "still" } : { kind: "hot", heat: this.step(Math.log10(large)) };
  }

  private step(x: number): number {
    const share = (x - this.low) / (this.high - this.low);
    return Math.max(0, Math.min(Math.floor(share * HEATS), HEATS - 1));
  }
}

function round(x: number): string {
  const text = x >= 1e-3 && x < 1e5 ? String(Number(x.toPrecision(3))) : x.toExponential(1);
  return text.replace(".0e", "e").replace("e+", "e");
}

const RANK = { none: 0, still: 1, partial: 2, hot: 3, broken: 4 };

/** Of two tones the one to worry about. */
export function worse(a: Tone, b: Tone): Tone {
  if (RANK[a.kind] !== RANK[b.kind]) return RANK[a.kind] > RANK[b.kind] ? a : b;
  return "heat" in a && "heat" in b && b.heat > a.heat ? b : a;
}
