/** The canvas: draws the scene as it looks now, and turns gestures into what they mean. */

import type { App } from "./app";
import { Appearance } from "./appearance";
import { drawBox, type Look, READABLE, VISIBLE } from "./boxes";
import { Cache, type Place } from "./cache";
import { h, Signal } from "./dom";
import { draw, drawBase, drawOverlay, type View } from "./draw";
import { pill } from "./fold";
import type { Rect } from "./layout/plan";
import { CanvasPen, type Pen } from "./pen";
import type { Line, Scene } from "./scene";
import { LEGIBLE } from "./text";
import type { Theme } from "./theme";
import type { Item } from "./tree";
import { Viewport } from "./viewport";

const GLIDE = 240; // ms in which boxes move to their new places
const MANY = 1500; // boxes, from which on they do not glide
const NARROW = 760; // px, up to which boxes are brought near while stepping
const MOST = 100; // boxes, up to which only those are drawn anew that a step changes
const NOWHERE: boolean[] = [];
const REACH = 8; // px of the screen from which an arrow is pointed at …
const FAR = 60; // … and px of the drawing at most
const NEAR = 4; // px of the drawing around a box that belong to it
const SPEED = 40; // px per second at which gradients flow

export class Stage {
  readonly canvas = h("canvas", { class: "stage", "aria-hidden": "true" });
  readonly viewport: Viewport;
  readonly frames = { count: 0, fps: 0 };
  /** Until the reader moves a drawing that has no room: where it goes on, as `Viewport.begin` says. */
  readonly beyond = new Signal<boolean[]>([]);
  private readonly pen: CanvasPen;
  private readonly context: CanvasRenderingContext2D;
  private scene: Scene | null = null;
  private from: Map<string, Rect> | undefined;
  private began = 0;
  private asked = false;
  private last = 0;
  private readonly cache: Cache;
  private fitted = false;
  private position = 0;
  private readonly appearance: Appearance;

  constructor(private readonly app: App) {
    this.context = this.canvas.getContext("2d", { alpha: false })!;
    this.pen = new CanvasPen(this.context);
    this.cache = new Cache(() => this.ask());
    this.viewport = new Viewport(this.canvas, {
      changed: () => {
        if (!this.viewport.untouched) this.beyond.set(NOWHERE);
        this.ask();
      },
      hover: (x, y) => this.hover(x, y),
      click: (x, y) => this.click(x, y),
      double: (x, y) => this.double(x, y),
    });
    this.appearance = new Appearance(app);
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    app.go = (item) => this.reveal(item);
    app.scene.watch((scene) => this.show(scene));
    for (const signal of [app.measure, app.overlay, app.sheet, app.themes.signal] as {
      watch(f: () => void): void;
    }[])
      signal.watch(() => this.refresh());
    app.position.watch(() => this.advance());
    app.stepping.watch(() => this.follow());
    for (const signal of [app.selected, app.hovered, app.line] as { watch(f: () => void): void }[])
      signal.watch(() => this.ask());
  }

  // --- the scene ---

  private show(scene: Scene | null): void {
    const before = this.scene;
    this.scene = scene;
    if (!scene) {
      this.fitted = false;
      return this.ask();
    }
    const { anchor } = this.app;
    const was = anchor && before?.rectOf(anchor);
    const is = anchor && scene.rectOf(anchor);
    if (was && is) {
      // the left edge keeps its place, or the edge of the screen where it lies outside
      const { viewport } = this;
      const left = Math.max(was.x * viewport.scale + viewport.x, viewport.margins.left + 12);
      const middle = (was.y + was.height / 2) * viewport.scale + viewport.y;
      const seen = Math.max(40, Math.min(this.canvas.clientHeight - 40, middle));
      viewport.x = left - is.x * viewport.scale;
      viewport.y = seen - (is.y + is.height / 2) * viewport.scale;
    }
    this.from = undefined;
    if (before && this.fitted && !this.viewport.reduced && scene.marks.size < MANY)
      this.glide(before, scene, was ?? null, is ?? null);
    if (!this.fitted && this.canvas.clientWidth) this.open();
    this.refresh();
  }

  /** Boxes set out from where they were, new ones from the box that held them. */
  private glide(before: Scene, scene: Scene, was: Rect | null, is: Rect | null): void {
    this.from = new Map();
    const [dx, dy] =
      was && is ? [is.x - was.x, is.y + is.height / 2 - was.y - was.height / 2] : [0, 0];
    for (const mark of scene.marks.values()) {
      const old = before.marks.get(mark.key)?.rect;
      if (old) this.from.set(mark.key, { ...old, x: old.x + dx, y: old.y + dy });
      else {
        const { x, y, width, height } = mark.rect;
        this.from.set(mark.key, { x: x + width / 2, y: y + height / 2, width: 0, height: 0 });
      }
    }
    this.began = performance.now();
  }

  /** How things look now, in any theme. */
  look(theme: Theme): Look {
    return Object.create(this.appearance, { theme: { value: theme } });
  }

  /** Draw all of it with any pen. */
  drawAll(pen: Pen, look: Look): void {
    const scene = this.scene!;
    const { appearance } = this;
    const all = { left: 0, top: 0, right: scene.width, bottom: scene.height, scale: 1 };
    draw(scene, pen, look, all, appearance.lit(), appearance.pointed());
  }

  /** The first view: all of it, or where that could not be read, on a phone, its end. */
  private open(): void {
    const { scene, app, viewport } = this;
    if (!scene) return;
    const { fold, graph, trace } = app.sheet.value;
    const last = trace.root ?? graph.nodes.length - 1;
    const end = last < 0 ? undefined : scene.rectOf(fold.shown(last));
    const [width, height] = [scene.width, scene.height];
    if (!end || !app.handheld() || viewport.whole(width, height) >= LEGIBLE) return this.fit(false);
    this.fitted = true;
    this.beyond.set(viewport.begin(width, height, end));
  }

  /** Look at the next scene as if it were the first. */
  anew(): void {
    this.fitted = false;
  }

  fit(glide = true): void {
    if (!this.scene) return;
    this.fitted = true;
    this.beyond.set(NOWHERE);
    this.viewport.fit({ x: 0, y: 0, width: this.scene.width, height: this.scene.height }, glide);
  }

  /** Bring an item into sight; `zoom` until it can be read. */
  reveal(item: Item, zoom = true): void {
    const rect = this.scene?.rectOf(item);
    if (rect) this.viewport.show(rect, zoom);
  }

  private resize(): void {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * ratio);
    this.cache.forget();
    if (!this.fitted) this.open();
    this.paint(performance.now());
  }

  // --- drawing ---

  /** All may look different. */
  private refresh(): void {
    this.cache.forget();
    this.follow();
  }

  /** What is known of some nodes has changed: draw those anew that show them. */
  private advance(): void {
    const { app, scene } = this;
    const { fold, timeline } = app.sheet.value;
    const nodes = scene && timeline.between(this.position, app.position.value);
    const onward = app.position.value > this.position;
    this.position = app.position.value;
    this.follow();
    const items = new Set(nodes?.map((node) => fold.shown(node)));
    const far = this.cache.scale < VISIBLE;
    if (!scene || !nodes || items.size > MOST || (far && !onward)) return this.cache.forget();
    const marks = [...items].flatMap((item) =>
      [item.key, pill(item.key)].flatMap((key) => scene.marks.get(key) ?? []),
    );
    const { appearance } = this;
    this.cache.patch(marks, devicePixelRatio || 1, (on, view, mark) => {
      const pen = new CanvasPen(on);
      if (!far) this.paper(on);
      this.aim(on, view);
      // from afar what becomes known covers what was there, and thousands of lines lie below it
      if (far) drawBox(scene, mark, mark.rect, pen, appearance, view.scale);
      else drawBase(scene, pen, appearance, view);
    });
  }

  /** Show what happens at this step. */
  follow(): void {
    this.appearance.refresh(this.scene);
    const { happening } = this.appearance;
    const rect = happening && this.scene?.rectOf(happening);
    if (rect) this.viewport.show(rect, this.canvas.clientWidth < NARROW);
    this.ask();
  }

  ask(): void {
    if (this.asked) return;
    this.asked = true;
    requestAnimationFrame((now) => {
      this.asked = false;
      this.paint(now);
    });
  }

  private paint(now: number): void {
    const { context, viewport, canvas, scene } = this;
    const ratio = devicePixelRatio || 1;
    const gap = now - this.last;
    if (gap > 0 && gap < 250) this.frames.fps += (1000 / gap - this.frames.fps) * 0.1;
    this.last = now;
    this.frames.count++;
    const { appearance } = this;
    appearance.moved = (now / 1000) * SPEED;
    const place = { x: viewport.x, y: viewport.y, scale: viewport.scale };
    if (!scene) return this.paper(context);
    const [left, top] = viewport.world(0, 0);
    const [right, bottom] = viewport.world(canvas.clientWidth, canvas.clientHeight);
    const view: View = { left, top, right, bottom, scale: viewport.scale };
    if (this.from) {
      const t = Math.max(0, Math.min(1, (now - this.began) / GLIDE));
      view.come = 1 - (1 - t) ** 3;
      view.from = this.from;
      if (t === 1) this.from = undefined;
    }
    this.paper(context);
    const moving = view.come !== undefined && view.come < 1;
    if (moving || !this.cache.show(context, place, ratio)) {
      this.aim(context, place);
      const things = drawBase(scene, this.pen, appearance, view);
      if (!moving) this.cache.keep(canvas, place, things);
    }
    this.aim(context, place);
    if (!moving)
      drawOverlay(scene, this.pen, appearance, view, appearance.lit(), appearance.pointed());
    if (this.from || (appearance.flows && !viewport.reduced)) this.ask();
  }

  private paper(on: CanvasRenderingContext2D): void {
    on.setTransform(1, 0, 0, 1, 0, 0);
    on.fillStyle = this.app.themes.signal.value.colours.paper;
    on.fillRect(0, 0, this.canvas.width, this.canvas.height);
  }

  /** From now on draw in px of the drawing. */
  private aim(on: CanvasRenderingContext2D, { x, y, scale }: Place): void {
    const zoom = (devicePixelRatio || 1) * scale;
    on.setTransform(zoom, 0, 0, zoom, (zoom / scale) * x, (zoom / scale) * y);
  }

  // --- pointing ---

  /** The arrow at a place of the screen, unless a box lies there. */
  private lineAt(x: number, y: number): Line | null {
    if (!this.scene) return null;
    const [u, v] = this.viewport.world(x, y);
    const slack = REACH / this.viewport.scale;
    const near = this.viewport.scale < READABLE ? this.around : NEAR; // small boxes come first
    if (this.scene.at(u, v, near).mark) return null;
    return this.scene.lineAt(u, v, Math.min(FAR, slack)) ?? null;
  }

  /** How far from a box it is still pointed at, in px of the drawing. */
  private get around(): number {
    return Math.min(30, 5 / this.viewport.scale);
  }

  /** What is at a place of the screen: the title of a frame counts, its inside does not. */
  private find(x: number, y: number): { item: Item | null; around: Item | null } {
    if (!this.scene) return { item: null, around: null };
    const [u, v] = this.viewport.world(x, y);
    const { mark, plate } = this.scene.at(u, v, this.around);
    if (mark) return { item: mark.item, around: mark.item };
    const title = plate && v - plate.panel.y < 24 / Math.min(1, this.viewport.scale * 2);
    return { item: title ? plate.item : null, around: plate?.item ?? null };
  }

  private hover(x: number | null, y: number): void {
    const item = x === null ? null : this.find(x, y).item;
    const line = x === null ? null : this.lineAt(x, y);
    this.canvas.style.cursor = item || line ? "pointer" : "";
    this.app.hovered.set(line ? null : item);
    this.app.line.set(line);
  }

  private click(x: number, y: number): void {
    const line = this.lineAt(x, y);
    this.app.line.set(line);
    this.app.selected.set(line ? null : this.find(x, y).item);
  }

  private double(x: number, y: number): void {
    const { item, around } = this.find(x, y);
    const target = item && item.kind !== "node" ? item : item ? null : around;
    if (target) void this.app.toggle(target);
    else if (!around) this.viewport.zoom(1.6, x, y);
  }
}
