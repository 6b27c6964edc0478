/** The canvas: draws the scene as it looks now, and turns gestures into what they mean. */

import type { App } from "./app";
import { NO_TONE, type Tone, worse } from "./colour";
import { Cache } from "./cache";
import { type Lit, type Look, type View, draw, drawBase, drawOverlay } from "./draw";
import { h } from "./dom";
import { inside, pill } from "./fold";
import type { Rect } from "./layout/plan";
import { MISSING, isStats, short } from "./numbers";
import { CanvasPen, type Pen } from "./pen";
import type { Line, Mark, Plate, Scene } from "./scene";
import type { Num, Stats } from "./trace";
import type { Item } from "./tree";
import { Viewport } from "./viewport";

const GLIDE = 240; // ms in which boxes move to their new places
const MANY = 1500; // boxes, from which on they do not glide
const SPEED = 40; // px per second at which gradients flow

export class Stage {
  readonly canvas = h("canvas", { class: "stage", "aria-hidden": "true" });
  readonly viewport: Viewport;
  readonly frames = { count: 0, fps: 0 };
  private readonly pen: CanvasPen;
  private readonly context: CanvasRenderingContext2D;
  private scene: Scene | null = null;
  private from: Map<string, Rect> | undefined;
  private began = 0;
  private asked = false;
  private last = 0;
  private tones = new Map<Item, Tone>();
  private flowing = new Set<string>();
  private happening: Item | null = null;
  private alarms: Line[] | null = null;
  private readonly cache: Cache;
  private fitted = false;
  readonly look: Look;

  constructor(private readonly app: App) {
    this.context = this.canvas.getContext("2d", { alpha: false })!;
    this.pen = new CanvasPen(this.context);
    this.cache = new Cache(() => this.ask());
    this.viewport = new Viewport(this.canvas, {
      changed: () => this.ask(),
      hover: (x, y) => this.hover(x, y),
      click: (x, y) => this.click(x, y),
      double: (x, y) => this.double(x, y),
    });
    this.look = this.makeLook();
    new ResizeObserver(() => this.resize()).observe(this.canvas);
    app.go = (item) => this.reveal(item);
    app.scene.watch((scene) => this.show(scene));
    for (const signal of [app.position, app.measure, app.sheet, app.stepping] as { watch(f: () => void): void }[])
      signal.watch(() => this.refresh());
    app.themes.signal.watch(() => this.refresh());
    for (const signal of [app.selected, app.hovered] as { watch(f: () => void): void }[])
      signal.watch(() => this.ask());
  }

  // --- the scene ---

  private show(scene: Scene | null): void {
    const before = this.scene;
    this.scene = scene;
    this.alarms = null;
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
    if (before && this.fitted && !this.viewport.reduced && scene.marks.size < MANY) this.glide(before, scene, was ?? null, is ?? null);
    if (!this.fitted && this.canvas.clientWidth) this.fit(false);
    this.refresh();
  }

  /** Boxes set out from where they were, new ones from the box that held them. */
  private glide(before: Scene, scene: Scene, was: Rect | null, is: Rect | null): void {
    this.from = new Map();
    const [dx, dy] = was && is ? [is.x - was.x, is.y + is.height / 2 - was.y - was.height / 2] : [0, 0];
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

  /** Draw all of it, as it looks now, with any pen. */
  drawAll(pen: Pen): void {
    const scene = this.scene!;
    this.look.theme = this.app.themes.signal.value;
    const all = { left: 0, top: 0, right: scene.width, bottom: scene.height, scale: 1 };
    draw(scene, pen, this.look, all, this.lit(scene), this.pointed(scene));
  }

  fit(glide = true): void {
    if (!this.scene) return;
    this.fitted = true;
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
    if (!this.fitted) this.fit(false);
    this.paint(performance.now());
  }

  // --- drawing ---

  /** What is known has changed: forget what was found from it. */
  private refresh(): void {
    this.cache?.forget();
    this.tones.clear();
    this.flowing.clear();
    this.happening = null;
    const { graph, fold, timeline } = this.app.sheet.value;
    const position = this.app.position.value;
    const moment = timeline.at(position);
    if (this.scene && moment.phase !== "start" && this.app.stepping.value) {
      this.happening = fold.shown(moment.node);
      const single = this.happening.kind === "node";
      const head = single && graph.nodes[moment.node].op ? pill(this.happening.key) : this.happening.key;
      const sources = moment.phase === "backward" ? moment.event.parts.map((part) => part.input) : moment.phase === "forward" ? graph.inputs(moment.node) : [];
      for (const x of sources) {
        const item = fold.shown(x);
        const bundle = item.kind === "node" && graph.nodes[x].parts !== undefined;
        this.flowing.add(`${bundle ? pill(item.key) : item.key}\n${head}`);
      }
      if (moment.phase !== "seed") this.flowing.add(`${head}\n${this.happening.key}`);
      const rect = this.scene.rectOf(this.happening);
      if (rect) this.viewport.show(rect, this.canvas.clientWidth < 760);
    }
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
    const theme = this.app.themes.signal.value;
    const gap = now - this.last;
    if (gap > 0 && gap < 250) this.frames.fps += (1000 / gap - this.frames.fps) * 0.1;
    this.last = now;
    this.frames.count++;
    const { look } = this;
    look.theme = theme;
    look.moved = (now / 1000) * SPEED;
    const paper = (on: CanvasRenderingContext2D) => {
      on.setTransform(1, 0, 0, 1, 0, 0);
      on.fillStyle = theme.colours.paper;
      on.fillRect(0, 0, canvas.width, canvas.height);
    };
    const place = { x: viewport.x, y: viewport.y, scale: viewport.scale };
    const aim = (on: CanvasRenderingContext2D) =>
      on.setTransform(ratio * place.scale, 0, 0, ratio * place.scale, ratio * place.x, ratio * place.y);
    if (!scene) return paper(context);
    const [left, top] = viewport.world(0, 0);
    const [right, bottom] = viewport.world(canvas.clientWidth, canvas.clientHeight);
    const view: View = { left, top, right, bottom, scale: viewport.scale };
    if (this.from) {
      const t = Math.max(0, Math.min(1, (now - this.began) / GLIDE));
      view.come = 1 - (1 - t) ** 3;
      view.from = this.from;
      if (t === 1) this.from = undefined;
    }
    paper(context);
    const moving = view.come !== undefined && view.come < 1;
    if (moving || !this.cache.show(context, place, ratio)) {
      aim(context);
      const things = drawBase(scene, this.pen, look, view);
      if (!moving) this.cache.keep(canvas, place, things);
    }
    aim(context);
    if (!moving) drawOverlay(scene, this.pen, look, view, this.lit(scene), this.pointed(scene));
    if (this.from || (this.flowing.size && !viewport.reduced && this.backward)) this.ask();
  }

  private get backward(): boolean {
    const { timeline } = this.app.sheet.value;
    return timeline.at(this.app.position.value).phase === "backward";
  }

  private makeLook(): Look {
    const { app } = this;
    const known = (mark: Mark) => app.sheet.value.timeline.isComputed(mark.item.kind === "node" ? mark.item.index : firstOperation(mark.item), app.position.value);
    const chosen = (item: Item) => app.selected.value === item;
    return {
      theme: app.themes.signal.value,
      moved: 0,
      tone: (mark) => this.tone(mark.item),
      data: (mark) => (known(mark) ? number(app.sheet.value.graph.nodes[mark.item.index].data) : MISSING),
      grad: (mark) => number(app.sheet.value.timeline.gradient(mark.item.index, app.position.value).value),
      culprit: (mark) => app.sheet.value.trouble?.node === mark.item.index,
      pale: (mark) => !known(mark),
      active: (mark) => mark.item === this.happening && (mark.role !== "node" || !this.scene!.marks.has(pill(mark.key))),
      selected: (thing: Mark | Plate) => chosen(thing.item) && ("panel" in thing || thing.role !== "op" || !this.scene!.marks.has(thing.item.key)),
      told: (mark) => app.sheet.value.graph.nodes[mark.item.index]?.where ?? mark.item.title,
    };
  }

  /** The ring of an item: of a folded one, the worst inside. */
  tone(item: Item): Tone {
    let tone = this.tones.get(item);
    if (tone) return tone;
    const { graph, timeline, scales } = this.app.sheet.value;
    const measure = this.app.measure.value;
    const scale = scales[measure];
    const position = this.app.position.value;
    if (measure === "held") {
      let total = 0;
      for (const i of inside(item)) total += graph.nodes[i].held ?? 0;
      tone = scale.tone(total);
    } else {
      tone = NO_TONE;
      for (const i of inside(item)) {
        if (graph.nodes[i].kind === "constant") continue;
        const { state, value } = timeline.gradient(i, position);
        tone = worse(tone, scale.tone(value, state === "partial"));
      }
    }
    this.tones.set(item, tone);
    return tone;
  }

  /** The lines that are pointed out, and how. */
  private lit(scene: Scene): Map<Line, Lit> {
    const found = new Map<Line, Lit>();
    const { app } = this;
    for (const item of [app.selected.value, app.hovered.value])
      if (item) for (const key of [item.key, pill(item.key)]) for (const line of scene.linesOf(key)) found.set(line, "near");
    if (app.sheet.value.trouble) {
      this.alarms ??= scene.lines.filter(({ arrow }) => this.troubled(arrow.head) && this.troubled(arrow.tail));
      for (const line of this.alarms) found.set(line, "alarm");
    }
    if (this.happening) {
      const kind = this.backward ? "flow" : "near";
      for (const key of [this.happening.key, pill(this.happening.key)])
        for (const line of scene.linesOf(key))
          if (this.flowing.has(`${line.arrow.tail}\n${line.arrow.head}`)) found.set(line, kind);
    }
    return found;
  }

  /** The boxes and frames that are pointed out. */
  private pointed(scene: Scene): (Mark | Plate)[] {
    const found: (Mark | Plate)[] = [];
    const { happening } = this;
    const active = happening && (scene.marks.get(pill(happening.key)) ?? scene.marks.get(happening.key));
    if (active) found.push(active);
    const chosen = this.app.selected.value;
    const mark = chosen && (scene.marks.get(chosen.key) ?? scene.marks.get(pill(chosen.key)));
    if (mark) found.push(mark);
    else if (chosen) found.push(...scene.plates.filter((plate) => plate.item === chosen));
    return found;
  }

  private troubled(key: string): boolean {
    const { item } = this.scene!.marks.get(key)!;
    const { path } = this.app.sheet.value.trouble!;
    if (item.kind === "node") return path.has(item.index);
    for (const i of inside(item)) if (path.has(i)) return true;
    return false;
  }

  // --- pointing ---

  /** What is at a place of the screen: the title of a frame counts, its inside does not. */
  private find(x: number, y: number): { item: Item | null; around: Item | null } {
    if (!this.scene) return { item: null, around: null };
    const [u, v] = this.viewport.world(x, y);
    const { mark, plate } = this.scene.at(u, v, Math.min(30, 5 / this.viewport.scale));
    if (mark) return { item: mark.item, around: mark.item };
    const title = plate && v - plate.panel.y < 24 / Math.min(1, this.viewport.scale * 2);
    return { item: title ? plate.item : null, around: plate?.item ?? null };
  }

  private hover(x: number | null, y: number): void {
    const item = x === null ? null : this.find(x, y).item;
    this.canvas.style.cursor = item ? "pointer" : "";
    this.app.hovered.set(item);
  }

  private click(x: number, y: number): void {
    this.app.selected.set(this.find(x, y).item);
  }

  private double(x: number, y: number): void {
    const { item, around } = this.find(x, y);
    const target = item && item.kind !== "node" ? item : item ? null : around;
    if (target) void this.app.toggle(target);
    else if (!around) this.viewport.zoom(1.6, x, y);
  }
}

function number(x: Stats | Num | undefined): string {
  return x === undefined ? MISSING : short(isStats(x) ? (norm(x)) : x);
}

/** What is written of an array: its norm, or of a single element the element itself. */
function norm(x: Stats): Num {
  const only = x.min === x.max && x.hist.zero + sum(x.hist.negative) + sum(x.hist.positive) === 1;
  return only ? x.min : x.norm;
}

function sum(counts: number[]): number {
  return counts.reduce((a, b) => a + b, 0);
}

const firsts = new WeakMap<Item, number>();

function firstOperation(item: Item): number {
  let first = firsts.get(item);
  if (first === undefined) {
    first = Number.isFinite(item.first) ? item.first : item.last;
    firsts.set(item, first);
  }
  return first;
}
