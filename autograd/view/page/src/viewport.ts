/** Where the reader looks: pan and zoom by mouse, trackpad, finger and key. */

import type { Rect } from "./layout/plan";
import { LEGIBLE } from "./text";

const SMALLEST = 0.01;
const LARGEST = 4;
/** A press that moves less, in px, is a click. */
const STILL = 5;
const FIT_MOST = 1.25;
/** Room, in px, for the word that there is more to be seen. */
const WORD = 44;

export interface Gestures {
  changed(): void;
  /** Pointed at, in px of the screen; null when the pointer leaves. */
  hover(x: number | null, y: number): void;
  click(x: number, y: number): void;
  double(x: number, y: number): void;
}

export class Viewport {
  x = 0;
  y = 0;
  scale = 1;
  /** Room at the edges that panels cover, in px. */
  margins = { left: 0, top: 0, right: 0, bottom: 0 };
  private pointers = new Map<number, { x: number; y: number }>();
  private travelled = 0;
  private lastTap = { time: 0, x: 0, y: 0 };
  private gliding = 0;
  private fitted: [number, number, number] | null = null;
  private readonly calm = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly gestures: Gestures,
  ) {
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    canvas.addEventListener(
      "pointerleave", // a finger that is lifted leaves what it has tapped
      ({ pointerType }) => pointerType === "mouse" && gestures.hover(null, 0),
    );
  }

  get reduced(): boolean {
    return this.calm.matches;
  }

  world(x: number, y: number): [number, number] {
    return [(x - this.x) / this.scale, (y - this.y) / this.scale];
  }

  pan(dx: number, dy: number): void {
    cancelAnimationFrame(this.gliding);
    this.x += dx;
    this.y += dy;
    this.gestures.changed();
  }

  /** Zoom by a factor; what is at (x, y) on the screen stays there. */
  zoom(factor: number, x = this.middle[0], y = this.middle[1]): void {
    cancelAnimationFrame(this.gliding);
    const scale = Math.max(SMALLEST, Math.min(LARGEST, this.scale * factor));
    this.x = x - ((x - this.x) * scale) / this.scale;
    this.y = y - ((y - this.y) * scale) / this.scale;
    this.scale = scale;
    this.gestures.changed();
  }

  /** The part of the canvas that no panel covers: left, top, width, height. */
  private get free(): [number, number, number, number] {
    const { left, top, right, bottom } = this.margins;
    const { clientWidth, clientHeight } = this.canvas;
    return [
      left,
      top,
      Math.max(60, clientWidth - left - right),
      Math.max(60, clientHeight - top - bottom),
    ];
  }

  /** Width of that part, less a margin, in px of the screen. */
  get room(): number {
    return this.free[2] - 48;
  }

  private get middle(): [number, number] {
    const [left, top, width, height] = this.free;
    return [left + width / 2, top + height / 2];
  }

  /** Show a rectangle of the drawing as large as it fits, but no larger than is comfortable. */
  fit(rect: Rect, glide = false): void {
    const [left, top, width, height] = this.free;
    const scale = Math.max(SMALLEST, this.whole(rect.width, rect.height));
    const x = left + width / 2 - (rect.x + rect.width / 2) * scale;
    const y = top + height / 2 - (rect.y + rect.height / 2) * scale;
    this.fitted = [x, y, scale];
    this.go(x, y, scale, glide);
  }

  /** Show a drawing that has no room as large as it can be read, from `end` on.
   *
   * Returns whether it goes on to the left, upwards, to the right, downwards. */
  begin(width: number, height: number, end: Rect): boolean[] {
    const [left, above, wide, all] = this.free;
    const [top, high] = [above + WORD, all - WORD];
    const edge = 16;
    const place = (begin: number, room: number, size: number, middle: number) => {
      const spare = room - size;
      if (spare >= 2 * edge) return begin + spare / 2;
      return begin + Math.min(edge, Math.max(spare - edge, room / 2 - middle));
    };
    const scale = LEGIBLE;
    const x = place(left, wide, width * scale, (end.x + end.width / 2) * scale);
    const y = place(top, high, height * scale, (end.y + end.height / 2) * scale);
    this.fitted = [x, y, scale];
    this.go(x, y, scale, false);
    return [x < left, y < top, x + width * scale > left + wide, y + height * scale > top + high];
  }

  /** The largest scale at which all of a drawing is seen. */
  whole(width: number, height: number): number {
    const [, , wide, high] = this.free;
    return Math.min(FIT_MOST, (wide - 48) / width, (high - 48) / height);
  }

  /** Whether the reader has left everything as it was fitted. */
  get untouched(): boolean {
    return String(this.fitted) === String([this.x, this.y, this.scale]);
  }

  /** Bring a rectangle into sight, moving as little as possible; `zoom` until it can be read. */
  show(rect: Rect, zoom = true): void {
    const [left, top, width, height] = this.free;
    const readable = Math.min(width < 500 ? LEGIBLE : 1, (width - 60) / rect.width);
    const scale = zoom && this.scale < 0.5 ? readable : this.scale;
    const edge = 24;
    const x = rect.x * scale + this.x;
    const y = rect.y * scale + this.y;
    const inside =
      x > left + edge &&
      y > top + edge &&
      x + rect.width * scale < left + width - edge &&
      y + rect.height * scale < top + height - edge;
    if (inside && scale === this.scale) return;
    if (!zoom && rect.width * scale < width / 2) {
      // as little as it takes, with some room to what comes next
      const room = Math.min(140, width / 5);
      const dx =
        Math.max(0, left + room - x) || Math.min(0, left + width - room - x - rect.width * scale);
      const dy =
        Math.max(0, top + room - y) || Math.min(0, top + height - room - y - rect.height * scale);
      return this.go(this.x + dx, this.y + dy, scale, true);
    }
    this.go(
      left + width / 2 - (rect.x + rect.width / 2) * scale,
      top + height / 2 - (rect.y + rect.height / 2) * scale,
      scale,
      true,
    );
  }

  private go(x: number, y: number, scale: number, glide: boolean): void {
    cancelAnimationFrame(this.gliding);
    if (!glide || this.reduced) {
      Object.assign(this, { x, y, scale });
      this.gestures.changed();
      return;
    }
    const from = { x: this.x, y: this.y, scale: this.scale };
    const began = performance.now();
    const step = (now: number) => {
      const t = Math.max(0, Math.min(1, (now - began) / 260));
      const ease = 1 - (1 - t) ** 3;
      this.x = from.x + (x - from.x) * ease;
      this.y = from.y + (y - from.y) * ease;
      this.scale = from.scale + (scale - from.scale) * ease;
      this.gestures.changed();
      if (t < 1) this.gliding = requestAnimationFrame(step);
    };
    this.gliding = requestAnimationFrame(step);
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    this.gestures.hover(null, 0);
    const unit = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
    if (event.ctrlKey || event.metaKey) {
      const { left, top } = this.canvas.getBoundingClientRect();
      const amount = Math.max(-60, Math.min(60, event.deltaY * unit));
      this.zoom(Math.exp(-amount * 0.01), event.clientX - left, event.clientY - top);
    } else if (event.shiftKey && !event.deltaX) this.pan(-event.deltaY * unit, 0);
    else this.pan(-event.deltaX * unit, -event.deltaY * unit);
  }

  private place(event: PointerEvent): { x: number; y: number } {
    const { left, top } = this.canvas.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  }

  private down(event: PointerEvent): void {
    if (event.button > 1) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.place(event));
    if (this.pointers.size === 1) this.travelled = 0;
  }

  private move(event: PointerEvent): void {
    const now = this.place(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === "mouse") this.gestures.hover(now.x, now.y);
      return;
    }
    if (this.pointers.size === 1) {
      this.travelled += Math.hypot(now.x - before.x, now.y - before.y);
      if (this.travelled > STILL) {
        this.gestures.hover(null, 0);
        this.pan(now.x - before.x, now.y - before.y);
      }
    } else {
      const other = [...this.pointers].find(([id]) => id !== event.pointerId)![1];
      const was = Math.hypot(before.x - other.x, before.y - other.y) || 1;
      const is = Math.hypot(now.x - other.x, now.y - other.y) || 1;
      this.travelled = Infinity;
      this.pan((now.x - before.x) / 2, (now.y - before.y) / 2);
      this.zoom(is / was, (now.x + other.x) / 2, (now.y + other.y) / 2);
    }
    this.pointers.set(event.pointerId, now);
  }

  private up(event: PointerEvent): void {
    if (!this.pointers.delete(event.pointerId) || this.travelled > STILL) return;
    const { x, y } = this.place(event);
    const near = Math.hypot(x - this.lastTap.x, y - this.lastTap.y) < 24;
    if (event.timeStamp - this.lastTap.time < 350 && near) {
      this.lastTap.time = 0;
      this.gestures.double(x, y);
    } else {
      this.lastTap = { time: event.timeStamp, x, y };
      this.gestures.click(x, y);
    }
  }
}
