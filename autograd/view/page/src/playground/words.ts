/** What units and edges are called, and the numbers on them, in words and as formulas. */

import { float, MISSING, short, subscript } from "../numbers";
import type { Num } from "../trace";
import type { Layer, State } from "./events";
import type { Spot } from "./game";

const TERMS = 4; // inputs that a unit's formula names

/** The layer that computes a column, and the numbers of one unit or edge of it. */
export class Reading {
  readonly layer: Layer | undefined;

  constructor(readonly state: State, readonly spot: Spot) {
    this.layer = state.layers[spot.column - 1];
  }

  /** Kernel and gradient of the edge from `from`; undefined where it is not sent. */
  weight(from: number): Num | undefined {
    return this.layer?.weights?.[from * this.layer.outputs + this.spot.unit];
  }

  slope(from: number): Num | undefined {
    return this.layer?.gradients?.[from * this.layer.outputs + this.spot.unit];
  }

  get bias(): Num | undefined {
    return this.layer?.bias?.[this.spot.unit];
  }

  get biasSlope(): Num | undefined {
    return this.layer?.bias_gradients?.[this.spot.unit];
  }

  get incoming(): number[] {
    return Array.from({ length: this.layer?.inputs ?? 0 }, (_, k) => k);
  }

  get title(): string {
    const { column, unit, from } = this.spot;
    const here = unitName(this.state, column, unit);
    return from === undefined ? here : `${unitName(this.state, column - 1, from)} → ${here}`;
  }

  /** a = tanh(0.52·x₁ − 1.30·x₂ + 0.10) */
  get formula(): string {
    const { layers, settings } = this.state;
    if (!this.layer?.weights) return "";
    const last = this.spot.column === layers.length;
    const terms = this.incoming.slice(0, TERMS).map((k) => term(this.weight(k)!, unitShort(this.spot.column - 1, k)));
    const rest = this.incoming.length > TERMS ? " + …" : "";
    const sum = `${terms.join(" ")}${rest} ${term(this.bias!, "")}`.replace(/^\+ /, "").replace(/^− /, "−").trim();
    if (last) return layers.at(-1)!.outputs === 1 ? `p = sigmoid(${sum})` : `z = ${sum}`;
    return settings.activation === "linear" ? `a = ${sum}` : `a = ${settings.activation}(${sum})`;
  }
}

export function unitName(state: State, column: number, unit: number): string {
  const { layers } = state;
  if (column === 0) return layers[0].inputs === 2 ? `input ${unitShort(0, unit)}` : "the 64 pixels";
  const { outputs } = layers[column - 1];
  if (column < layers.length) return `layer ${layers[column - 1].name}, unit ${unit + 1}`;
  return outputs === 1 ? "output" : `output ${unit}`;
}

function unitShort(column: number, unit: number): string {
  const name = column === 0 ? "x" : "a";
  return name + subscript(unit + 1);
}

function term(x: Num, name: string): string {
  const value = float(x);
  const size = Number.isFinite(value) ? Number(Math.abs(value).toPrecision(2)).toString() : short(x);
  return `${value < 0 ? "−" : "+"} ${size}${name && "·"}${name}`;
}

export function told(x: Num | null | undefined): string {
  return x === undefined || x === null ? MISSING : short(x);
}

/** Once in a while, for who listens: step, loss, accuracy. */
export function summary({ step, loss, accuracy, flow }: State): string {
  const share = (x: Num) => `${Math.round(100 * float(x))} %`;
  return (
    `Step ${step}: loss ${told(loss.train)} in training, ${told(loss.test)} held out; ` +
    `accuracy ${share(accuracy.train)} and ${share(accuracy.test)}. Gradients: ${flow.verdict}.`
  );
}
