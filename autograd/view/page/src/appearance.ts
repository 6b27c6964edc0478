/** How things look now: what is known at this position, what is selected, what happens. */

import type { App } from "./app";
import { NO_TONE, type Overlay, type Tone, worse } from "./colour";
import type { Look } from "./boxes";
import type { Lit } from "./draw";
import { ends } from "./flow";
import { inside, pill } from "./fold";
import { finite, isStats, MISSING, norm, short } from "./numbers";
import type { Line, Mark, Plate, Scene } from "./scene";
import type { Theme } from "./theme";
import type { Num, Stats } from "./trace";
import type { Item } from "./tree";

export class Appearance implements Look {
  moved = 0;
  /** The item in which the step happens that is looked at. */
  happening: Item | null = null;
  private scene: Scene | null = null;
  private backward = false;
  private tones = new Map<Item, Tone>();
  /** The arrows along which the step goes: tail and head. */
  private flowing = new Set<string>();
  private alarms: Line[] | null = null;

  constructor(private readonly app: App) {}

  /** What is known has changed: forget what was found from it. */
  refresh(scene: Scene | null): void {
    if (scene !== this.scene) this.alarms = null;
    this.scene = scene;
    this.tones.clear();
    this.flowing.clear();
    this.happening = null;
    const { timeline, fold } = this.app.sheet.value;
    const position = this.app.position.value;
    const moment = timeline.at(position);
    this.backward = moment.phase === "backward";
    if (!scene || moment.phase === "start" || !this.app.stepping.value) return;
    this.happening = fold.shown(moment.node);
    for (let at = this.app.first(position); at <= position; at++) this.flow(at);
  }

  /** Light the arrows of what happens at a position. */
  private flow(position: number): void {
    const { graph, fold, timeline } = this.app.sheet.value;
    const moment = timeline.at(position);
    if (moment.phase === "start") return;
    const { key, kind } = this.happening!;
    const head = kind === "node" && graph.nodes[moment.node].op ? pill(key) : key;
    let sources: number[] = [];
    if (moment.phase === "backward") sources = moment.event.parts.map((part) => part.input);
    if (moment.phase === "forward") sources = graph.inputs(moment.node);
    for (const x of sources) {
      const item = fold.shown(x);
      const bundle = item.kind === "node" && graph.nodes[x].parts !== undefined;
      this.flowing.add(`${bundle ? pill(item.key) : item.key}\n${head}`);
    }
    if (moment.phase !== "seed") this.flowing.add(`${head}\n${key}`);
  }

  /** Whether something moves. */
  get flows(): boolean {
    return this.backward && this.flowing.size > 0;
  }

  // --- boxes ---

  get theme(): Theme {
    return this.app.themes.signal.value;
  }

  tone(mark: Mark): Tone {
    return this.ring(mark.item);
  }

  data({ item }: Mark): string {
    if (this.overlay) return this.overlay.data(item.index);
    const { graph } = this.app.sheet.value;
    return this.isKnown(item) ? number(graph.nodes[item.index].data) : MISSING;
  }

  grad({ item }: Mark): string {
    if (this.overlay) return this.overlay.grad(item.index);
    const { timeline } = this.app.sheet.value;
    return number(timeline.gradient(item.index, this.app.position.value).value);
  }

  pale({ item }: Mark): boolean {
    return !this.isKnown(item);
  }

  active(mark: Mark): boolean {
    if (mark.item !== this.happening) return false;
    return mark.role !== "node" || !this.scene!.marks.has(pill(mark.key));
  }

  culprit({ item }: Mark): boolean {
    return this.app.sheet.value.trouble?.node === item.index;
  }

  selected(thing: Mark | Plate): boolean {
    const line = this.app.line.value;
    if (line && "key" in thing && ends(this.scene!, line).includes(thing)) return true;
    if (this.app.selected.value !== thing.item) return false;
    return "panel" in thing || thing.role !== "op" || !this.scene!.marks.has(thing.item.key);
  }

  told({ item }: Mark): string {
    return this.app.sheet.value.graph.nodes[item.index]?.where ?? item.title;
  }

  private get overlay(): Overlay | null {
    return this.app.overlay.value;
  }

  private isKnown(item: Item): boolean {
    if (this.overlay) return true;
    const first = item.kind === "node" || !Number.isFinite(item.first) ? item.last : item.first;
    return this.app.sheet.value.timeline.isComputed(first, this.app.position.value);
  }

  /** The ring of an item: of a folded one, the worst inside. */
  private ring(item: Item): Tone {
    let tone = this.tones.get(item);
    if (tone) return tone;
    const { graph, timeline, scales } = this.app.sheet.value;
    const measure = this.app.measure.value;
    const scale = scales[measure];
    const position = this.app.position.value;
    if (this.overlay) {
      tone = NO_TONE;
      for (const i of inside(item)) tone = worse(tone, this.overlay.tone(i));
    } else if (measure === "held") {
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

  // --- what is pointed out ---

  /** The lines that are pointed out, and how. */
  lit(): Map<Line, Lit> {
    const found = new Map<Line, Lit>();
    const { app } = this;
    const scene = this.scene!;
    for (const item of [app.selected.value, app.hovered.value])
      if (item)
        for (const key of [item.key, pill(item.key)])
          for (const line of scene.linesOf(key)) found.set(line, "near");
    if (app.sheet.value.trouble) {
      this.alarms ??= scene.lines.filter(
        ({ arrow }) => this.troubled(arrow.head) && this.troubled(arrow.tail),
      );
      for (const line of this.alarms) found.set(line, "alarm");
    }
    if (this.happening) {
      const kind = this.backward ? "flow" : "near";
      for (const key of [this.happening.key, pill(this.happening.key)])
        for (const line of scene.linesOf(key))
          if (this.flowing.has(`${line.arrow.tail}\n${line.arrow.head}`)) found.set(line, kind);
    }
    if (app.line.value) found.set(app.line.value, "here");
    return found;
  }

  /** The boxes and frames that are pointed out. */
  pointed(): (Mark | Plate)[] {
    const found: (Mark | Plate)[] = [];
    const { happening } = this;
    const scene = this.scene!;
    const active =
      happening && (scene.marks.get(pill(happening.key)) ?? scene.marks.get(happening.key));
    if (active) found.push(active);
    const chosen = this.app.selected.value;
    const mark = chosen && (scene.marks.get(chosen.key) ?? scene.marks.get(pill(chosen.key)));
    if (mark) found.push(mark);
    else if (chosen) found.push(...scene.plates.filter((plate) => plate.item === chosen));
    const line = this.app.line.value;
    if (line) found.push(...ends(scene, line));
    return found;
  }

  private troubled(key: string): boolean {
    const { item } = this.scene!.marks.get(key)!;
    const { path } = this.app.sheet.value.trouble!;
    if (item.kind === "node") return path.has(item.index);
    for (const i of inside(item)) if (path.has(i)) return true;
    return false;
  }
}

function number(x: Stats | Num | undefined): string {
  return x === undefined ? MISSING : short(isStats(x) ? element(x) : x);
}

/** What is written of an array: its norm, or of a single element the element itself. */
function element(x: Stats): Num {
  const only = x.hist.zero + sum(x.hist.negative) + sum(x.hist.positive) === 1;
  return only && finite(x) ? x.min : norm(x);
}

function sum(counts: number[]): number {
  return counts.reduce((a, b) => a + b, 0);
}
