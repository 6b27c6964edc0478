/** Where the units of the network stand, and which one a pointer is on. */

import type { Layer } from "./events";
import type { Spot } from "./game";

export interface Unit {
  x: number;
  y: number;
}

export interface Column {
  x: number;
  /** How many units there are; `units` has those that there is room for. */
  count: number;
  units: Unit[];
}

export interface Layout {
  columns: Column[];
  /** Side of a unit's map, px; and that of the digit, which stands for 64 inputs. */
  side: number;
  picture: number;
}

const GAP = 7; // px between units, at least
const RIM = 2; // px above the first and below the last
const SIDES = [18, 40]; // px of a unit's map, at least and at most
const PICTURE = 64;
const PIXELS = 64;
const NEAR = 6; // px from an edge that still count

/** Columns of units between the left and the right border, inputs first. */
export function layout(layers: Layer[], width: number, height: number): Layout {
  const counts = [layers[0].inputs, ...layers.map(({ outputs }) => outputs)];
  const images = counts[0] === PIXELS;
  const most = Math.max(...counts.slice(images ? 1 : 0));
  const pitch = width / counts.length;
  const side = Math.floor(Math.max(SIDES[0], Math.min(SIDES[1], (height - 2 * RIM) / most - GAP, pitch * 0.6)));
  const room = Math.max(1, Math.floor((height - 2 * RIM + GAP) / (side + GAP)));
  const columns = counts.map((count, i) => {
    const x = pitch * (i + 0.5);
    if (images && i === 0) return { x, count, units: [{ x, y: height / 2 }] };
    const shown = Math.min(count, room);
    const step = Math.min(side + 22, (height - side - 2 * RIM) / Math.max(1, shown - 1));
    const first = height / 2 - ((shown - 1) * step) / 2;
    return { x, count, units: Array.from({ length: shown }, (_, k) => ({ x, y: first + k * step })) };
  });
  return { columns, side, picture: Math.min(PICTURE, pitch * 0.8) };
}

/** Whether the first column is one picture instead of a unit for each number. */
export function isPicture({ columns }: Layout): boolean {
  return columns[0].count === PIXELS;
}

/** The shape of an edge: it leaves and arrives level. */
export function edge(pen: CanvasRenderingContext2D, from: Unit, to: Unit, half: number): void {
  const [start, end] = [from.x + half, to.x - half];
  const middle = (start + end) / 2;
  pen.moveTo(start, from.y);
  pen.bezierCurveTo(middle, from.y, middle, to.y, end, to.y);
}

/** The unit or the edge at a place, or null. */
export function spotAt(shape: Layout, x: number, y: number): Spot | null {
  const { columns, side } = shape;
  const half = side / 2 + 3;
  for (const [column, { units }] of columns.entries())
    for (const [unit, one] of units.entries()) {
      const reach = column === 0 && isPicture(shape) ? shape.picture / 2 : half;
      if (Math.abs(one.x - x) <= reach && Math.abs(one.y - y) <= reach) return { column, unit };
    }
  const column = columns.findIndex((one) => one.x > x);
  if (column < 1 || (column === 1 && isPicture(shape))) return null;
  const [start, end] = [columns[column - 1].x + side / 2, columns[column].x - side / 2];
  if (x < start || x > end) return null;
  const rise = level((x - start) / (end - start));
  let best: Spot | null = null;
  let nearest = NEAR;
  columns[column].units.forEach((to, unit) =>
    columns[column - 1].units.forEach((from, k) => {
      const away = Math.abs(from.y + (to.y - from.y) * rise - y);
      if (away >= nearest) return;
      nearest = away;
      best = { column, unit, from: k };
    }),
  );
  return best;
}

/** How much of its height an edge has risen where this share of its width lies behind it. */
function level(share: number): number {
  let [low, high] = [0, 1];
  for (let i = 0; i < 20; i++) {
    const t = (low + high) / 2;
    // x(t) of a Bézier curve whose inner points are in the middle
    const x = 1.5 * t * (1 - t) ** 2 + 1.5 * t * t * (1 - t) + t ** 3;
    if (x < share) low = t;
    else high = t;
  }
  return 3 * low ** 2 - 2 * low ** 3;
}
