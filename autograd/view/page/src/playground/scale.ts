/** Widths and colours of weights, which are compared with each other, and of gradients, whose
 * decades count: a gradient that vanishes does so by powers of ten. */

import { float } from "../numbers";
import type { Theme } from "../theme";
import type { Num } from "../trace";
import type { State } from "./events";
import type { Shown } from "./game";
import { largest } from "./paint";

/** Decades of a single gradient, and of a layer's norm, between nothing and all. */
export const SLOPES = [-5, 0];
export const NORMS = [-6, 2];

export function decades(x: Num, [low, high]: number[]): number {
  const size = Math.abs(float(x));
  if (!Number.isFinite(size)) return 1;
  return size === 0 ? 0 : Math.max(0, Math.min(1, (Math.log10(size) - low) / (high - low)));
}

/** How strong each number is drawn, from 0 to 1. */
export function strength(state: State, shown: Shown): (x: Num) => number {
  if (shown === "gradients") return (x) => decades(x, SLOPES);
  const most = largest(state.layers.map(({ weights }) => largest(weights ?? [])));
  return (x) => {
    const size = Math.abs(float(x));
    return Number.isFinite(size) ? (most ? size / most : 0) : 1;
  };
}

/** The colour of a size on the scale of the explorer's rings. */
export function heat(x: Num, range: number[], theme: Theme): string {
  if (!Number.isFinite(float(x))) return theme.colours.alarm;
  if (float(x) === 0) return theme.colours.faint;
  return theme.heat[Math.min(theme.heat.length - 1, Math.floor(decades(x, range) * theme.heat.length))];
}
