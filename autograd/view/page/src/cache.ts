/** The last picture of a drawing that takes long, so that pan and zoom stay smooth.
 *
 * While the reader moves, the picture is moved and stretched; once they rest it is drawn anew.
 */

import type { View } from "./draw";
import type { Mark } from "./scene";

export interface Place {
  x: number;
  y: number;
  scale: number;
}

/** So many boxes and lines are drawn between two frames. */
const QUICK = 600;
/** Milliseconds without a move after which the reader rests. */
const REST = 140;

export class Cache {
  private readonly picture = document.createElement("canvas");
  private kept: Place | null = null;
  private timer = 0;

  constructor(private readonly redraw: () => void) {}

  /** What was drawn has changed. */
  forget(): void {
    clearTimeout(this.timer);
    this.kept = null;
  }

  /** Show the kept picture as seen from a place; false where it must be drawn anew. */
  show(context: CanvasRenderingContext2D, place: Place, ratio: number): boolean {
    const { kept } = this;
    if (!kept) return false;
    const same = kept.x === place.x && kept.y === place.y && kept.scale === place.scale;
    if (!same) {
      clearTimeout(this.timer);
      this.timer = window.setTimeout(() => {
        this.forget();
        this.redraw();
      }, REST);
    }
    const stretch = place.scale / kept.scale;
    context.setTransform(
      stretch,
      0,
      0,
      stretch,
      ratio * (place.x - kept.x * stretch),
      ratio * (place.y - kept.y * stretch),
    );
    context.drawImage(this.picture, 0, 0);
    return true;
  }

  /** The scale of the kept picture, ∞ where there is none. */
  get scale(): number {
    return this.kept?.scale ?? Infinity;
  }

  /** Draw the kept picture anew where some boxes are. */
  patch(
    marks: Mark[],
    ratio: number,
    draw: (on: CanvasRenderingContext2D, view: View & Place, mark: Mark) => void,
  ): void {
    const { kept } = this;
    if (!kept) return;
    const { scale, x, y } = kept;
    const on = this.picture.getContext("2d")!;
    for (const mark of marks) {
      const part = mark.rect;
      const margin = 8 + 3 / scale; // a ring, and what blurs its edge
      const [left, top] = [part.x - margin, part.y - margin];
      const [right, bottom] = [part.x + part.width + margin, part.y + part.height + margin];
      const a = Math.floor(ratio * (left * scale + x));
      const b = Math.floor(ratio * (top * scale + y));
      const [c, d] = [ratio * (right * scale + x), ratio * (bottom * scale + y)];
      if (c < 0 || d < 0 || a > this.picture.width || b > this.picture.height) continue;
      on.save();
      on.setTransform(1, 0, 0, 1, 0, 0);
      on.beginPath();
      on.rect(a, b, Math.ceil(c) - a, Math.ceil(d) - b);
      on.clip();
      draw(on, { left, top, right, bottom, ...kept }, mark);
      on.restore();
    }
  }

  /** Keep what was just drawn, if it was made of so many things that it matters. */
  keep(canvas: HTMLCanvasElement, place: Place, things: number): void {
    if (things < QUICK) return this.forget();
    this.picture.width = canvas.width;
    this.picture.height = canvas.height;
    this.picture.getContext("2d")!.drawImage(canvas, 0, 0);
    this.kept = { ...place };
  }
}
