/** How far a point is from the line of an arrow. */

import type { Route } from "./layout/plan";

/** A curve is looked at as so many straight pieces: they leave it by less than 1 px. */
const PIECES = 12;

/** The distance of (x, y) from a route, or Infinity where it is more than `most`. */
export function distance({ start, steps }: Route, x: number, y: number, most: number): number {
  let best = Infinity;
  let [fromX, fromY] = start;
  for (const step of steps) {
    const [toX, toY] = step.slice(-2);
    if (!beyond(step, fromX, fromY, x, y, most)) {
      let [lastX, lastY] = [fromX, fromY];
      const pieces = step.length === 2 ? 1 : PIECES;
      for (let k = 1; k <= pieces; k++) {
        const [nextX, nextY] = pieces === 1 ? [toX, toY] : bezier(fromX, fromY, step, k / pieces);
        best = Math.min(best, piece(lastX, lastY, nextX, nextY, x, y));
        [lastX, lastY] = [nextX, nextY];
      }
    }
    [fromX, fromY] = [toX, toY];
  }
  return best <= most ? best : Infinity;
}

/** Whether a step, which stays among its control points, has (x, y) farther away than `most`. */
function beyond(
  step: readonly number[],
  fromX: number,
  fromY: number,
  x: number,
  y: number,
  most: number,
): boolean {
  let [left, right, top, bottom] = [fromX, fromX, fromY, fromY];
  for (let i = 0; i < step.length; i += 2) {
    left = Math.min(left, step[i]);
    right = Math.max(right, step[i]);
    top = Math.min(top, step[i + 1]);
    bottom = Math.max(bottom, step[i + 1]);
  }
  return x < left - most || x > right + most || y < top - most || y > bottom + most;
}

/** The point of a cubic Bézier curve at t, 0 … 1. */
function bezier(x: number, y: number, step: readonly number[], t: number): [number, number] {
  const s = 1 - t;
  const [a, b, c, d] = [s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t];
  const at = (from: number, k: number) =>
    a * from + b * step[k] + c * step[k + 2] + d * step[k + 4];
  return [at(x, 0), at(y, 1)];
}

/** The distance of (x, y) from a straight piece. */
function piece(x1: number, y1: number, x2: number, y2: number, x: number, y: number): number {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const length = dx * dx + dy * dy;
  const t = length ? Math.max(0, Math.min(1, ((x - x1) * dx + (y - y1) * dy) / length)) : 0;
  return Math.hypot(x - x1 - t * dx, y - y1 - t * dy);
}
