/** The parameters as a tree of modules: the rows of the charts, which can be folded. */

import type { Run } from "./run";

export interface Row {
  /** The whole path: "encoder.3.weight". */
  name: string;
  /** What is written, in the row of its parent: "3". */
  label: string;
  depth: number;
  parameters: number[];
  rows: Row[];
  open: boolean;
}

/** So many rows are open to begin with. */
const START = 24;

export class Rows {
  readonly root: Row = row("", "", -1);
  private readonly byName = new Map<string, Row>();

  constructor(run: Run, before?: Rows) {
    for (const i of run.order) {
      let at = this.root;
      at.parameters.push(i);
      const parts = run.header.parameters[i].name.split(".");
      parts.forEach((label, k) => {
        const name = parts.slice(0, k + 1).join(".");
        let next = at.rows.find((each) => each.name === name);
        if (!next) at.rows.push((next = row(name, label, at.depth + 1)));
        next.parameters.push(i);
        at = next;
      });
    }
    this.root.rows = this.root.rows.map((each) => joined(each, 0));
    const walk = (each: Row) => {
      this.byName.set(each.name, each);
      each.rows.forEach(walk);
    };
    walk(this.root);
    this.unfold(before);
  }

  /** Open modules, the outermost first, while there is room; a layer's parameters stay together. */
  private unfold(before: Rows | undefined): void {
    this.root.open = true;
    let level = this.root.rows;
    let shown = level.length;
    while (level.length) {
      const opened = level.filter((each) => each.rows.some(({ rows }) => rows.length));
      shown += opened.reduce((sum, each) => sum + each.rows.length, 0);
      if (shown > START) break;
      for (const each of opened) each.open = true;
      level = opened.flatMap((each) => each.rows);
    }
    for (const [name, each] of this.byName) each.open = before?.byName.get(name)?.open ?? each.open;
  }

  get visible(): Row[] {
    const found: Row[] = [];
    const walk = (rows: Row[]) => {
      for (const each of rows) {
        found.push(each);
        if (each.open) walk(each.rows);
      }
    };
    walk(this.root.rows);
    return found;
  }

  /** Rows that hold every parameter once: what is open is seen in its parts. */
  get leaves(): Row[] {
    return this.visible.filter((each) => !each.open || !each.rows.length);
  }

  /** Open all modules, or none. */
  all(open: boolean): void {
    for (const each of this.byName.values()) each.open = open || each === this.root;
  }

  get folded(): boolean {
    return [...this.byName.values()].some((each) => each.rows.length > 0 && !each.open);
  }

  named(name: string): Row | undefined {
    return this.byName.get(name);
  }

  /** The row that shows what this one is: itself, or the folded module around it. */
  shown(each: Row): Row | undefined {
    let at = this.root;
    for (;;) {
      const next = at.rows.find(
        ({ name }) => each.name === name || each.name.startsWith(`${name}.`),
      );
      if (!next || next === each || !next.open || !next.rows.length) return next;
      at = next;
    }
  }
}

function row(name: string, label: string, depth: number): Row {
  return { name, label, depth, parameters: [], rows: [], open: false };
}

/** A module that holds nothing but another is one row with it. */
function joined(each: Row, depth: number): Row {
  if (each.rows.length === 1 && each.rows[0].rows.length) {
    const [only] = each.rows;
    return joined({ ...only, label: `${each.label}.${only.label}` }, depth);
  }
  return { ...each, depth, rows: each.rows.map((next) => joined(next, depth + 1)) };
}
