/** How far the line of an arrow reaches, and how far a point is from it. */

import type { Route } from "./layout/plan";

/** A rectangle: its left, top, right and bottom edge. */
export type Extent = [number, number, number, number];

/** Widen an extent to the points x, y, x, y, … of a step, among which its curve stays. */
export function widen(extent: Extent, step: readonly number[]): Extent {
  for (let i = 0; i < step.length; i += 2) {
    extent[0] = Math.min(extent[0], step[i]);
    extent[1] = Math.min(extent[1], step[i + 1]);
    extent[2] = Math.max(extent[2], step[i]);
    extent[3] = Math.max(extent[3], step[i + 1]);
  }
  return extent;
}

/** A curve is halved so often, where it comes near: its pieces are as good as straight. */
const HALVES = 4;

/** The distance of (x, y) from a route, or Infinity where it is more than `most`. */
export function distance({ start, steps }: Route, x: number, y: number, most: number): number {
  let best = Infinity;
  let [fromX, fromY] = start;
  for (const step of steps) {
    const toX = step[step.length - 2];
    const toY = step[step.length - 1];
    const away =
      step.length === 2
        ? curve(fromX, fromY, fromX, fromY, toX, toY, toX, toY, x, y, most, 0)
        : curve(fromX, fromY, step[0], step[1], step[2], step[3], toX, toY, x, y, most, HALVES);
    best = Math.min(best, away);
    fromX = toX;
    fromY = toY;
  }
  return best <= most ? best : Infinity;
}

/** The distance of (x, y) from a cubic Bézier curve, which stays among its control points a … d. */
function curve(
  ax: number,
  ay: number,
  bx: number,
  by: number,
  cx: number,
  cy: number,
  dx: number,
  dy: number,
  x: number,
  y: number,
  most: number,
  halves: number,
): number {
  if (x < Math.min(ax, bx, cx, dx) - most || x > Math.max(ax, bx, cx, dx) + most) return Infinity;
  if (y < Math.min(ay, by, cy, dy) - most || y > Math.max(ay, by, cy, dy) + most) return Infinity;
  if (!halves) return piece(ax, ay, dx, dy, x, y);
  // de Casteljau: the middles of the middles are the control points of the halves
  const [abx, bcx, cdx] = [(ax + bx) / 2, (bx + cx) / 2, (cx + dx) / 2];
  const [aby, bcy, cdy] = [(ay + by) / 2, (by + cy) / 2, (cy + dy) / 2];
  const [abcx, bcdx] = [(abx + bcx) / 2, (bcx + cdx) / 2];
  const [abcy, bcdy] = [(aby + bcy) / 2, (bcy + cdy) / 2];
  const [mx, my] = [(abcx + bcdx) / 2, (abcy + bcdy) / 2];
  return Math.min(
    curve(ax, ay, abx, aby, abcx, abcy, mx, my, x, y, most, halves - 1),
    curve(mx, my, bcdx, bcdy, cdx, cdy, dx, dy, x, y, most, halves - 1),
  );
}

/** The distance of (x, y) from a straight piece. */
function piece(ax: number, ay: number, bx: number, by: number, x: number, y: number): number {
  const [dx, dy] = [bx - ax, by - ay];
  const length = dx * dx + dy * dy;
  const t = length ? Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
  return Math.sqrt((x - ax - t * dx) ** 2 + (y - ay - t * dy) ** 2);
}
