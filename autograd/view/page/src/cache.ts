/** The last picture of a drawing that takes long, so that pan and zoom stay smooth.
 *
 * While the reader moves, the picture is moved and stretched; once they rest it is drawn anew.
 */

interface Place {
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

  /** Keep what was just drawn, if it was made of so many things that it matters. */
  keep(canvas: HTMLCanvasElement, place: Place, things: number): void {
    if (things < QUICK) return this.forget();
    this.picture.width = canvas.width;
    this.picture.height = canvas.height;
    this.picture.getContext("2d")!.drawImage(canvas, 0, 0);
    this.kept = { ...place };
  }
}
