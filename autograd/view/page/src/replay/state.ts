/** What all charts share: the run, the step that is looked at, what is selected and compared. */

import type { App } from "../app";
import { Signal } from "../dom";
import { complete } from "../trace";
import { type Row, Rows } from "./rows";
import { BARE, type Frame, type Header, type Measure, Run } from "./run";

/** What the current step is compared with: a step of the same run, or the other run's. */
export type Against = { step: number } | "other";

export class Replay {
  run: Run;
  readonly other: Run | null;
  rows: Rows;
  /** The frame that is looked at. */
  readonly at: Signal<number>;
  /** Rises when frames have come, or rows were folded. */
  readonly version = new Signal(0);
  readonly measure = new Signal<Measure>("gradient");
  readonly against = new Signal<Against | null>(null);
  readonly row = new Signal<Row | null>(null);
  /** Whether time is that of the training, or that of one backward pass. */
  readonly training = new Signal(true);
  /** Of a training that goes on: whether the end is looked at as it comes. */
  readonly following = new Signal(true);
  readonly status = new Signal("");
  /** Whether what is selected in the drawing follows a row, and not the other way round. */
  private choosing = false;

  constructor(readonly app: App) {
    const { run } = app.payload;
    const told = app.payload.traces[0];
    this.run = new Run({ ...BARE, ...(run?.header as Header) }, run?.frames as Frame[], told);
    this.other = run?.other
      ? new Run({ ...BARE, ...(run.other.header as Header) }, run.other.frames as Frame[])
      : null;
    this.rows = new Rows(this.run);
    this.at = new Signal(Math.max(0, this.run.last));
  }

  get frame(): Frame | undefined {
    return this.run.frames[this.at.value];
  }

  get step(): number {
    return this.frame?.step ?? 0;
  }

  /** The first and the last step of all that is shown. */
  get range(): [number, number] {
    const all = [this.run, this.other].flatMap((run) => (run?.frames.length ? [run] : []));
    if (!all.length) return [0, 1];
    const first = Math.min(...all.map(({ frames }) => frames[0].step));
    return [first, Math.max(first + 1, ...all.map((run) => run.frames[run.last].step))];
  }

  /** Look at a frame, because the reader wants to. */
  go(k: number): void {
    const to = Math.max(0, Math.min(this.run.last, k));
    this.following.set(to >= this.run.last);
    this.at.set(to);
  }

  /** Look at the frame nearest to a step. */
  goto(step: number): void {
    const k = Math.max(0, this.run.before(step));
    const next = this.run.frames[k + 1];
    const nearer = next && next.step - step < step - this.run.frames[k].step;
    this.go(nearer ? k + 1 : k);
  }

  /** Frames have come or gone. */
  changed(): void {
    const to = this.following.value ? this.run.last : Math.min(this.at.value, this.run.last);
    this.version.set(this.version.value + 1);
    this.at.set(Math.max(0, to));
  }

  /** Another header, which may bring the graph. */
  begin(header: Header): void {
    const { trace } = header;
    const fresh = trace !== undefined && !this.app.payload.traces[0].nodes.length;
    this.run.header = header;
    this.run.arrange(trace);
    this.rows = new Rows(this.run, this.rows);
    this.version.set(this.version.value + 1);
    if (!fresh) return;
    this.app.home.classList.remove("bare"); // makes room, of which the drawing learns in a frame
    requestAnimationFrame(() => requestAnimationFrame(() => void this.app.load(complete(trace))));
  }

  fold(row: Row): void {
    if (!row.rows.length) return;
    row.open = !row.open;
    this.app.said.set(`${row.name} ${row.open ? "unfolded" : "folded"}`);
    this.folded();
  }

  /** Rows were folded or unfolded. */
  folded(): void {
    this.version.set(this.version.value + 1);
  }

  /** Select a row, and in the drawing what it stands for, without moving anything there. */
  choose(row: Row | null): void {
    const { graph, fold, trace } = this.app.sheet.value;
    this.row.set(row);
    const node = row ? graph.byKey.get(row.name) : undefined;
    const scope = row ? trace.scopes.find(({ path }) => path === row.name) : undefined;
    const call = scope && fold.tree.byKey.get(scope.key);
    const inside = node ?? call?.last;
    const shown = inside === undefined ? null : this.app.visible(fold.tree.leaves[inside]);
    const whole = call && shown && !isInside(shown, call) ? shown : call;
    this.choosing = true;
    this.app.selected.set(node === undefined ? (whole ?? null) : shown);
    this.choosing = false;
    if (this.app.selected.value) this.app.go(this.app.selected.value);
  }

  /** Something was selected in the drawing. */
  follow(key: string, path: string): void {
    if (this.choosing) return;
    let row = this.rows.named(key) ?? this.rows.named(path);
    for (; !row && path; row = this.rows.named(path))
      path = path.slice(0, Math.max(0, path.lastIndexOf(".")));
    this.row.set(row && row !== this.rows.root ? row : null);
  }
}

interface Inner {
  parent: Inner | null;
}

function isInside(item: Inner, outer: Inner): boolean {
  for (let at: Inner | null = item; at; at = at.parent) if (at === outer) return true;
  return false;
}
