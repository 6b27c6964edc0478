/** Pieces of charts: text, hairlines, lines, and what was recorded now and then. */

import { MONO, SANS } from "../text";
import type { Theme } from "../theme";
import type { Axis } from "./axis";

export interface Area {
  context: CanvasRenderingContext2D;
  theme: Theme;
  left: number;
  right: number;
  width: number;
  height: number;
  /** Where a step lies, in px. */
  x(step: number): number;
}

export function write(
  area: Area,
  text: string,
  x: number,
  y: number,
  more: {
    colour?: string;
    size?: number;
    align?: CanvasTextAlign;
    number?: boolean;
    bold?: boolean;
  } = {},
): void {
  const { context, theme } = area;
  context.font = `${more.bold ? 600 : 400} ${more.size ?? 11}px ${more.number ? MONO : SANS}`;
  context.fillStyle = more.colour ?? theme.colours.faint;
  context.textAlign = more.align ?? "left";
  context.fillText(text, x, y);
}

/** Hairlines and numbers of a vertical axis between two heights in px. */
export function grid(area: Area, axis: Axis, top: number, bottom: number): void {
  const { context, theme, left, right } = area;
  context.strokeStyle = theme.colours.edge;
  for (const { at, says } of axis.ticks) {
    if (at < -0.001 || at > 1.001) continue;
    const y = Math.round(bottom - at * (bottom - top)) + 0.5;
    context.beginPath();
    context.moveTo(left, y);
    context.lineTo(right, y);
    context.stroke();
    write(area, says, left - 8, y, { align: "right", number: true, size: 10.5 });
  }
}

/** px of what was recorded at a step, and how strong it is where it is only carried on. */
const MARK = 3;
const PALE = 0.5;

/** What was recorded at some steps, drawn until the next: pale from where it is only carried on. */
export function stretches(
  area: Area,
  steps: number[],
  draw: (k: number, x: number, width: number) => void,
): void {
  steps.forEach((step, k) => {
    const x = Math.round(area.x(step));
    const end = k + 1 < steps.length ? Math.round(area.x(steps[k + 1])) : area.right;
    const mark = Math.min(MARK, end - x);
    area.context.globalAlpha = 1;
    draw(k, x, Math.max(1, mark));
    area.context.globalAlpha = PALE;
    if (end - x > mark) draw(k, x + mark, end - x - mark);
  });
  area.context.globalAlpha = 1;
}

/** A line through points, with gaps where a number is missing; of many to a pixel, their mean. */
export function line(
  area: Area,
  points: [number, number | null][],
  y: (x: number) => number,
): void {
  const { context } = area;
  context.beginPath();
  let pen = false;
  let column = -1;
  let sum = 0;
  let many = 0;
  const flush = () => {
    if (!many) return;
    if (pen) context.lineTo(column, sum / many);
    else context.moveTo(column, sum / many);
    pen = true;
    many = sum = 0;
  };
  for (const [step, value] of points) {
    if (value === null || !Number.isFinite(value)) {
      flush();
      pen = false;
      continue;
    }
    const x = Math.round(area.x(step) * 2) / 2;
    if (x !== column) flush();
    column = x;
    sum += y(value);
    many++;
  }
  flush();
  context.stroke();
}
