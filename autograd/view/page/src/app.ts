/** What all panels share: the trace that is open, how it is folded, what is selected, and when. */

import { type Measure, type Overlay, Scale } from "./colour";
import { Signal } from "./dom";
import { Fold, START } from "./fold";
import { Graph } from "./graph";
import { arrange } from "./arrange";
import { type Line, Scene } from "./scene";
import { Themes } from "./theme";
import { Timeline } from "./timeline";
import type { GraphTrace, Payload } from "./trace";
import type { Item } from "./tree";
import { type Trouble, trouble } from "./trouble";

/** A drawing of so few boxes goes on in a new row where the window ends. */
const SMALL = 40;

/** One trace, with all that is known of it. */
export class Sheet {
  readonly graph: Graph;
  readonly fold: Fold;
  readonly timeline: Timeline;
  readonly trouble: Trouble | null;
  readonly scales: { [measure in Measure]: Scale };

  constructor(
    readonly trace: GraphTrace,
    start: number,
  ) {
    this.graph = new Graph(trace);
    this.fold = new Fold(this.graph);
    this.fold.reset(start);
    this.timeline = new Timeline(this.graph);
    this.trouble = trouble(this.graph);
    this.scales = {
      gradient: new Scale("gradient", this.graph),
      zeros: new Scale("zeros", this.graph),
      held: new Scale("held", this.graph),
    };
  }

  item(key: string): Item | undefined {
    return this.fold.tree.byKey.get(key);
  }
}

export class App {
  readonly sheet: Signal<Sheet>;
  readonly scene = new Signal<Scene | null>(null);
  readonly selected = new Signal<Item | null>(null);
  readonly hovered = new Signal<Item | null>(null);
  /** The arrow that is pointed at. */
  readonly line = new Signal<Line | null>(null);
  /** Where on the time line: see `Timeline`. */
  readonly position: Signal<number>;
  readonly measure = new Signal<Measure>("gradient");
  /** Numbers that are shown in place of the trace's own. */
  readonly overlay = new Signal<Overlay | null>(null);
  /** Whether steps are being looked at; else the position is the end of the time line. */
  readonly stepping = new Signal(false);
  readonly busy = new Signal("");
  /** What a screen reader is told. */
  readonly said = new Signal("");
  readonly themes: Themes;
  /** The item that keeps its place on the screen when the scene changes. */
  anchor: Item | null = null;
  /** How wide a drawing may be to be read without panning, in px. */
  room: () => number | null = () => null;
  /** Whether the window is one in which a drawing is read downwards. */
  upright: () => boolean = () => false;
  /** Whether the window is that of a phone, on which a whole drawing could seldom be read. */
  handheld: () => boolean = () => false;
  /** Bring an item into sight. */
  go: (item: Item) => void = () => {};
  private readonly sheets: Sheet[] = [];
  private turn = 0;
  /** What was open when the drawing that is shown was made. */
  private readonly settled = new WeakMap<Fold, ReadonlySet<Item>>();

  constructor(
    readonly payload: Payload,
    readonly home: HTMLElement,
  ) {
    this.themes = new Themes(payload.palette, home);
    this.sheets[0] = new Sheet(payload.traces[0], this.start);
    this.sheet = new Signal(this.sheets[0]);
    this.position = new Signal(this.sheets[0].timeline.length);
  }

  /** How many boxes to begin with. */
  private get start(): number {
    return this.home.clientWidth < 600 ? START / 4 : START;
  }

  get which(): number {
    return this.sheets.indexOf(this.sheet.value);
  }

  /** Open a trace that has only now arrived, in place of the first. */
  async load(trace: GraphTrace): Promise<void> {
    this.payload.traces[0] = trace;
    this.sheets.length = 0;
    await this.openTrace(0);
  }

  /** Open another trace of the page; what is selected is looked up there by name. */
  async openTrace(which: number): Promise<void> {
    if (which === this.which) return;
    const before = this.selected.value;
    const name = before?.kind === "node" ? this.sheet.value.graph.titles[before.index] : "";
    this.sheets[which] ??= new Sheet(this.payload.traces[which], this.start);
    const sheet = this.sheets[which];
    this.anchor = null;
    this.selected.set(null);
    this.hovered.set(null);
    this.line.set(null);
    this.scene.set(null);
    this.stepping.set(false);
    this.sheet.set(sheet);
    this.position.set(sheet.timeline.length);
    await this.arrange();
    const twin = name
      ? sheet.graph.titles.findIndex(
          (title) => title === name || title.startsWith(`${name}[`) || name.startsWith(`${title}[`),
        )
      : -1;
    if (twin >= 0) await this.select(sheet.fold.tree.leaves[twin]);
  }

  /** Lay out what is open; the newest call wins. */
  async arrange(): Promise<void> {
    const turn = ++this.turn;
    this.hovered.set(null);
    this.line.set(null);
    const { fold } = this.sheet.value;
    const down = this.upright();
    const picture = fold.picture(down);
    const wrap = picture.boxes.length <= SMALL ? this.room() : null;
    const placed = arrange(picture, down ? Infinity : wrap);
    if (placed instanceof Promise)
      this.busy.set(`Arranging ${picture.boxes.length.toLocaleString("en")} boxes …`);
    try {
      const layout = await placed;
      if (turn !== this.turn) return;
      this.settled.set(fold, fold.state);
      this.scene.set(new Scene(fold, picture, layout));
      this.busy.set("");
    } catch (error) {
      if (turn !== this.turn) return;
      const before = this.settled.get(fold);
      if (before) fold.state = before;
      this.busy.set(`${(error as Error).message}: it stays as it was. Unfold less at once.`);
      setTimeout(() => turn === this.turn && this.busy.set(""), 6000);
    }
  }

  /** Fold or unfold an item, which keeps its place. */
  async toggle(item: Item, open = !this.sheet.value.fold.isOpen(item)): Promise<void> {
    const { fold } = this.sheet.value;
    if (open) fold.reveal(item);
    if (!fold.set(item, open) && !open) return;
    this.anchor = item;
    this.said.set(`${item.title} ${open ? "unfolded" : "folded"}`);
    const chosen = this.selected.value;
    await this.arrange();
    if (!open && chosen && within(chosen, item)) this.selected.set(item);
  }

  /** Change the folds of many items at once. */
  async refold(change: (fold: Fold) => void): Promise<void> {
    this.anchor = null;
    change(this.sheet.value.fold);
    await this.arrange();
    const chosen = this.selected.value;
    if (chosen && !this.scene.value?.rectOf(chosen)) this.selected.set(this.visible(chosen));
  }

  /** Select an item, and unfold what hides it. */
  async select(item: Item | null): Promise<void> {
    if (item && this.sheet.value.fold.reveal(item)) await this.arrange();
    this.selected.set(item);
  }

  // --- steps ---

  /** Move to a position of the time line and look at the step there. */
  step(position: number): void {
    const { timeline } = this.sheet.value;
    this.stepping.set(true);
    this.position.set(Math.max(0, Math.min(timeline.length, position)));
  }

  /** Look at the step of a node at a position, and unfold what hides it. */
  async visit(node: number, position: number): Promise<void> {
    const { fold } = this.sheet.value;
    if (fold.reveal(fold.tree.leaves[node])) await this.arrange();
    this.step(position);
  }

  stopStepping(): void {
    this.stepping.set(false);
    this.position.set(this.sheet.value.timeline.length);
  }

  /** The position after the next step that can be seen: a folded module is one. */
  next(): number {
    const { timeline } = this.sheet.value;
    return this.last(Math.min(this.position.value + 1, timeline.length));
  }

  previous(): number {
    return Math.max(0, this.first(this.position.value) - 1);
  }

  /** Whether two positions are the same step, because what they do is folded into one box. */
  private same(a: number, b: number): boolean {
    const { timeline, fold } = this.sheet.value;
    const [one, other] = [timeline.at(a), timeline.at(b)];
    if (one.phase === "start" || other.phase === "start" || one.phase !== other.phase) return false;
    const item = fold.shown(one.node);
    return item.kind !== "node" && item === fold.shown(other.node);
  }

  /** Unfold the module whose step this is, and go to its first operation. */
  async stepInto(): Promise<void> {
    const { timeline, fold } = this.sheet.value;
    const moment = timeline.at(this.position.value);
    if (moment.phase === "start") return;
    const item = fold.shown(moment.node);
    if (item.kind === "node") return this.step(this.next());
    const first = this.first(this.position.value);
    await this.toggle(item, true);
    this.position.set(this.last(first));
  }

  /** The first position of the step that a position belongs to. */
  first(position: number): number {
    while (position > 1 && this.same(position, position - 1)) position--;
    return position;
  }

  /** The last position of the step that a position belongs to. */
  private last(position: number): number {
    const { length } = this.sheet.value.timeline;
    while (position < length && this.same(position, position + 1)) position++;
    return position;
  }

  visible(item: Item): Item {
    return this.sheet.value.fold.shown(item.kind === "node" ? item.index : item.last);
  }
}

export function within(inner: Item, outer: Item): boolean {
  for (let at: Item | null = inner; at; at = at.parent) if (at === outer) return true;
  return false;
}
