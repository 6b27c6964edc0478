/** Puts the numbers of a training into the drawing: rings, norms, and words about a box. */

import { NO_TONE, type Overlay, type Tone } from "../colour";
import { MISSING, short } from "../numbers";
import { change, other, structure, times } from "./compare";
import { MEASURES, scaleOf, STRONGEST, told } from "./scale";
import { type Measure, read, type Run } from "./run";
import type { Replay } from "./state";

/** The number of a node in a frame: of a parameter from the frame, else from the nearest probe. */
function value(run: Run, k: number, measure: Measure, key: string): number | null {
  const i = run.index(key);
  if (i >= 0) return run.value(k, measure, [i]);
  if (measure !== "gradient") return null;
  return read(run.earlier(k, "probe")?.probe!.nodes[key]);
}

/** The numbers that the boxes are coloured by: of a comparison log₂ of the ratio. */
export function colours(replay: Replay): { [key: string]: number | null } {
  const found: { [key: string]: number | null } = {};
  const { nodes } = replay.app.sheet.value.trace;
  const { run, measure } = replay;
  const k = replay.at.value;
  const a = other(replay);
  for (const { key } of nodes) {
    const now = value(run, k, measure.value, key);
    found[key] = a ? change(value(a.run, a.k, measure.value, key), now) : now;
  }
  return found;
}

export class Paint implements Overlay {
  private readonly numbers: (number | null)[];
  private readonly comparing: boolean;
  private readonly added: Set<string>;

  constructor(private readonly replay: Replay) {
    const found = colours(replay);
    const a = other(replay);
    this.comparing = a !== null;
    this.added = new Set(a ? structure(a.run, replay.run).added : []);
    this.numbers = replay.app.sheet.value.trace.nodes.map(({ key }) => found[key]);
  }

  private key(node: number): string {
    return this.replay.app.sheet.value.trace.nodes[node].key;
  }

  tone(node: number): Tone {
    const x = this.numbers[node] ?? null;
    if (!this.comparing) return scaleOf(this.replay, this.replay.measure.value).tone(x);
    if (this.added.has(this.key(node))) return { kind: "still" };
    return x === null ? NO_TONE : { kind: "between", share: x / STRONGEST };
  }

  data(node: number): string {
    return this.norm("weight", node);
  }

  grad(node: number): string {
    return this.norm("gradient", node);
  }

  private norm(measure: Measure, node: number): string {
    const x = value(this.replay.run, this.replay.at.value, measure, this.key(node));
    return x === null ? MISSING : short(Number.isNaN(x) ? "nan" : x);
  }

  words(node: number): string[] {
    const { replay } = this;
    const { run } = replay;
    const k = replay.at.value;
    const key = this.key(node);
    const x = this.numbers[node] ?? null;
    const lines: string[] = [];
    if (run.index(key) >= 0) {
      for (const measure of ["gradient", "weight", "update", "zeros"] as const)
        lines.push(`${MEASURES[measure]} ${told(measure, value(run, k, measure, key))}`);
    } else {
      const probe = run.earlier(k, "probe");
      const norm = value(run, k, "gradient", key);
      lines.push(
        norm === null ? "gradient norm not recorded" : `gradient norm ${told("gradient", norm)}`,
      );
      if (probe && probe.step !== replay.step) lines.push(`probed at step ${probe.step}`);
    }
    if (this.comparing)
      lines.push(
        x === null
          ? this.added.has(key)
            ? "only in this run"
            : "not comparable"
          : `${times(x)} of what it is compared with`,
      );
    return lines;
  }
}
