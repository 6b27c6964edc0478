/** The line of one arrow while it is drawn, along and across the flow: `layout/line.py`. */

import type { Point, Step } from "./plan";

const CORNER = 9; // radius of the corners of an arrow that is led around a fold

/** A start and steps from there: [x, y] of a straight one, or the three points of a cubic. */
export class Line {
  label: Point | null = null;

  constructor(
    public start: Point,
    public steps: Step[] = [],
  ) {}

  /** The end of the last step, or the start. */
  private get end(): Point {
    const step = this.steps[this.steps.length - 1];
    return step ? [step[step.length - 2], step[step.length - 1]] : this.start;
  }

  /** Go on to (x, y); a straight step along the flow is lengthened where it can be. */
  straight(x: number, y: number): void {
    const last = this.steps[this.steps.length - 1] ?? this.start;
    if (last[last.length - 1] === y) {
      if (last[last.length - 2] === x) return;
      const before = this.steps[this.steps.length - 2] ?? this.start;
      if (this.steps.length && last.length === 2 && before[before.length - 1] === y) {
        last[0] = x;
        return;
      }
    }
    this.steps.push([x, y]);
  }

  /** Go on to (x, y) in an S that starts and ends in the direction of flow. */
  bend(x: number, y: number): void {
    const here = this.end;
    if (here[1] === y) this.straight(x, y);
    else {
      const middle = (here[0] + x) / 2;
      this.steps.push([middle, here[1], middle, y, x, y]);
    }
  }

  /** Go on through `points` at right angles, with rounded corners at all but the last. */
  corners(points: readonly Point[]): void {
    let [x, y] = this.end;
    for (let k = 1; k < points.length; k++) {
      const [[px, py], [qx, qy]] = [points[k - 1], points[k]];
      const r = Math.min(
        CORNER,
        Math.max(Math.abs(px - x), Math.abs(py - y)) / 2,
        Math.max(Math.abs(qx - px), Math.abs(qy - py)) / 2,
      );
      const [ax, ay] = [px - Math.sign(px - x) * r, py - Math.sign(py - y) * r];
      const [bx, by] = [px + Math.sign(qx - px) * r, py + Math.sign(qy - py) * r];
      this.straight(ax, ay);
      this.steps.push([(px + ax) / 2, (py + ay) / 2, (px + bx) / 2, (py + by) / 2, bx, by]);
      [x, y] = [bx, by];
    }
    this.straight(...points[points.length - 1]);
  }

  /** Turn the line around; the label stays where it is. */
  reverse(): void {
    const numbers = [...this.start, ...this.steps.flat()];
    const points: Point[] = [];
    for (let k = numbers.length - 2; k >= 0; k -= 2) points.push([numbers[k], numbers[k + 1]]);
    const sizes = this.steps.map((step) => step.length / 2).reverse();
    this.start = points[0];
    let taken = 1;
    this.steps = sizes.map((size) => points.slice(taken, (taken += size)).flat());
  }
}
