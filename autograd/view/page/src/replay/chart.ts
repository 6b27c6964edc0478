/** One chart over the steps of a training: all of them share the axis, the cursor and the keys. */

import { h } from "../dom";
import type { Replay } from "./state";
import type { Area } from "./strokes";

/** px left of the plot for names and ticks, right of it for what is read at the cursor. */
export const LEFT = 92;
export const RIGHT = 60;
const FAR = 10; // frames that page up and page down move

export interface Options {
  title: string;
  /** Of the canvas in px. */
  height(): number;
  draw(area: Area): void;
  /** What is read at a frame, at a height of the canvas in px where the pointer is there. */
  read(k: number, y?: number): string[];
  summary(): string;
  /** Right of the plot, at the cursor. */
  aside?(area: Area): void;
  click?(y: number, x: number): boolean;
  key?(key: string): boolean;
  /** Whether there is anything to show. */
  shown?(): boolean;
}

export class Chart {
  readonly element: HTMLElement;
  readonly legend = h("span", { class: "keys" });
  private readonly canvas = h("canvas", { "aria-hidden": "true" });
  private readonly front = h("canvas", { class: "front", "aria-hidden": "true" });
  private readonly plot: HTMLElement;
  private asked = 0;
  private wide = 0;

  constructor(
    private readonly replay: Replay,
    private readonly options: Options,
    tip: Tip,
  ) {
    this.plot = h(
      "div",
      { class: "plot", tabindex: 0, role: "slider", "aria-valuemin": 0 },
      this.canvas,
      this.front,
    );
    this.element = h(
      "figure",
      {},
      h("figcaption", {}, h("h3", {}, options.title), this.legend),
      this.plot,
    );
    this.point(tip);
    this.plot.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => {
      if (this.plot.clientWidth !== this.wide) this.ask();
    }).observe(this.plot);
    for (const signal of [
      replay.version,
      replay.row,
      replay.against,
      replay.app.themes.signal,
      replay.training,
    ] as { watch(f: () => void): void }[])
      signal.watch(() => this.ask());
    replay.at.watch(() => this.ask(true));
  }

  /** Draw again with the next frame of the screen; where only the cursor moved, only that. */
  private ask(cursor = false): void {
    if (!this.asked) requestAnimationFrame(() => this.paint());
    this.asked |= cursor ? 1 : 2;
  }

  private paint(): void {
    const { options, replay } = this;
    const all = this.asked > 1;
    this.asked = 0;
    this.element.hidden = options.shown?.() === false;
    if (this.element.hidden || !replay.training.value || !this.plot.clientWidth) return;
    if (all) {
      this.wide = this.plot.clientWidth;
      const area = this.area(this.canvas);
      options.draw(area);
      this.plot.setAttribute("aria-label", `${options.title}. ${options.summary()}`);
      this.plot.setAttribute("aria-valuemax", String(replay.run.last));
    }
    const area = this.area(this.front);
    const { context, theme, height } = area;
    const line = (step: number, colour: string, dash: number[]) => {
      const x = Math.round(area.x(step)) + 0.5;
      context.strokeStyle = colour;
      context.setLineDash(dash);
      context.beginPath();
      context.moveTo(x, 0);
      context.lineTo(x, height);
      context.stroke();
    };
    const against = replay.against.value;
    if (against && against !== "other") line(against.step, theme.colours.back, [3, 3]);
    if (replay.frame) line(replay.step, theme.colours.ink, []);
    context.setLineDash([]);
    options.aside?.(area);
    this.plot.setAttribute("aria-valuenow", String(replay.at.value));
    this.plot.setAttribute(
      "aria-valuetext",
      `step ${replay.step}: ${options.read(replay.at.value).join(", ")}`,
    );
  }

  private area(canvas: HTMLCanvasElement): Area {
    const ratio = devicePixelRatio || 1;
    const width = this.wide;
    const height = this.options.height();
    const [w, t] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== t) {
      [canvas.width, canvas.height] = [w, t];
      canvas.style.cssText = `width:${width}px;height:${height}px`;
    }
    const context = canvas.getContext("2d")!;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    context.lineWidth = 1;
    context.textBaseline = "middle";
    const [first, last] = this.replay.range;
    const right = width - RIGHT;
    const x = (step: number) => LEFT + ((step - first) / (last - first)) * (right - LEFT);
    return {
      context,
      theme: this.replay.app.themes.signal.value,
      left: LEFT,
      right,
      width,
      height,
      x,
    };
  }

  /** The step at a place of the screen. */
  private stepAt(x: number): number {
    const [first, last] = this.replay.range;
    const share = (x - LEFT) / (this.wide - RIGHT - LEFT);
    return first + Math.max(0, Math.min(1, share)) * (last - first);
  }

  private point(tip: Tip): void {
    const { plot, replay, options } = this;
    let dragging = false;
    const tell = (event: PointerEvent) => {
      const { left, top } = plot.getBoundingClientRect();
      const [x, y] = [event.clientX - left, event.clientY - top];
      const k = Math.max(0, replay.run.before(this.stepAt(x)));
      const frame = replay.run.frames[k];
      tip.show(
        frame && event.pointerType === "mouse"
          ? [`step ${frame.step.toLocaleString("en")}`, ...options.read(k, y)]
          : [],
        event,
      );
      return [x, y];
    };
    plot.addEventListener("pointerdown", (event) => {
      const [x, y] = tell(event);
      if (options.click?.(y, x) || x < LEFT) return;
      dragging = true;
      plot.setPointerCapture(event.pointerId);
      replay.goto(this.stepAt(x));
    });
    plot.addEventListener("pointermove", (event) => {
      const [x] = tell(event);
      if (dragging) replay.goto(this.stepAt(x));
    });
    for (const end of ["pointerup", "pointercancel"])
      plot.addEventListener(end, () => (dragging = false));
    plot.addEventListener("pointerleave", () => tip.show([]));
  }

  private key(event: KeyboardEvent): void {
    const { replay } = this;
    const k = replay.at.value;
    const moves: { [key: string]: number } = {
      ArrowLeft: k - 1,
      ArrowRight: k + 1,
      PageUp: k - FAR,
      PageDown: k + FAR,
      Home: 0,
      End: Infinity,
    };
    if (event.key in moves) replay.go(moves[event.key]);
    else if (!this.options.key?.(event.key)) return;
    event.preventDefault();
    event.stopPropagation();
  }
}

/** A few words beside the pointer. */
export class Tip {
  readonly element = h("div", { class: "tooltip tip", role: "presentation", hidden: true });

  show(lines: string[], event?: PointerEvent): void {
    const { element } = this;
    element.hidden = !lines.length;
    if (!event || !lines.length) return;
    element.replaceChildren(
      ...lines.map((line, i) => h("span", i ? { class: "number" } : {}, line)),
    );
    const { offsetWidth, offsetHeight } = element;
    element.style.left = `${Math.max(4, event.clientX - offsetWidth - 16)}px`;
    element.style.top = `${Math.min(innerHeight - offsetHeight - 8, event.clientY + 14)}px`;
  }
}
