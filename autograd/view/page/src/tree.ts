/** The graph as a tree that can be folded: modules, rows of equal ones, runs of many nodes.
 *
 * Folding an item must never make a circle of arrows.  A module call is contiguous in time, and so
 * is a run of consecutive operations; a leaf lies beside the first operation that reads it.
 */

import type { Graph } from "./graph";

export interface Item {
  key: string;
  kind: "node" | "scope" | "repeat" | "run";
  title: string;
  /** Of a node or a scope. */
  index: number;
  parent: Item | null;
  children: Item[];
  depth: number;
  /** Of all nodes inside: how many, the first operation and the last. */
  count: number;
  first: number;
  last: number;
}

/** So many items side by side are divided into runs. */
const MANY = 150;
/** How many operations the smallest run has, and how many runs the next larger one. */
const RUN = 100;
const RUNS = 10;
/** So many modules in a row, all alike, are one item. */
const ROW = 3;

export class Tree {
  readonly root: Item;
  readonly byKey = new Map<string, Item>();
  /** For each node its item. */
  readonly leaves: Item[];
  /** For each scope its item. */
  private readonly calls: Item[];

  constructor(private readonly graph: Graph) {
    const { scopes } = graph.trace;
    this.root = blank("", "scope", graph.trace.title, -1);
    this.calls = scopes.map((scope, i) => {
      const where = [scope.path, scope.name].filter((word, k, all) => word && word !== all[k - 1]);
      return blank(scope.key, "scope", where.join(": "), i);
    });
    const home = (scope: number | undefined) => this.calls[scope ?? -1] ?? this.root;
    this.leaves = graph.nodes.map((node, i) => {
      const leaf = blank(node.key, "node", graph.titles[i], i);
      if (!node.op) leaf.first = graph.readers[i][0] ?? i;
      return leaf;
    });
    this.leaves.forEach((leaf, i) => home(graph.nodes[i].scope).children.push(leaf));
    scopes.forEach((scope, i) => home(scope.parent).children.push(this.calls[i]));
    for (let i = scopes.length - 1; i >= 0; i--) span(this.calls[i]); // parents stand before children
    span(this.root);
    this.finish();
  }

  /** Order the children of every item, fold rows and runs among them, and set what depends on it. */
  private finish(): void {
    const stack = [this.root];
    const used = new Set<string>();
    while (stack.length) {
      const item = stack.pop()!;
      if (item.kind === "scope") {
        item.children = this.ordered(item).filter((child) => child.count > 0);
        item.children = this.rows(item);
        item.children = this.runs(item);
      }
      while (used.has(item.key)) item.key += "′";
      used.add(item.key);
      this.byKey.set(item.key, item);
      for (const child of item.children) {
        child.parent = item;
        child.depth = item.depth + 1;
        stack.push(child);
      }
    }
  }

  /** Operations and calls as they happened, each leaf before its first reader. */
  private ordered(item: Item): Item[] {
    const { graph } = this;
    const { scopes } = graph.trace;
    const here = item.index;
    const place = (child: Item): number => {
      if (child.kind !== "node" || graph.nodes[child.index].op) return child.first + 0.5;
      const reader = graph.readers[child.index][0];
      if (reader === undefined) return child.index;
      let scope = graph.nodes[reader].scope ?? -1;
      if (scope === here) return reader;
      while (scope >= 0 && scopes[scope].parent !== here) scope = scopes[scope].parent;
      return scope < 0 ? reader : this.calls[scope].first;
    };
    const places = new Map(item.children.map((child) => [child, place(child)]));
    return item.children.sort((a, b) => places.get(a)! - places.get(b)!);
  }

  /** Modules in a row with the same inside become one item "Block ×12". */
  private rows(item: Item): Item[] {
    const { scopes } = this.graph.trace;
    const rows: Item[] = [];
    let row: Item[] = [];
    const close = () => {
      if (row.length >= ROW) {
        const { key, index } = row[0];
        const title = `${scopes[index].name} ×${row.length}`;
        const repeat = blank(`${key} ×${row.length}`, "repeat", title, index);
        repeat.children = row;
        span(repeat);
        rows.push(repeat);
      } else rows.push(...row);
      row = [];
    };
    for (const child of item.children) {
      const alike =
        child.kind === "scope" &&
        row.length > 0 &&
        scopes[child.index].alike === scopes[row[0].index].alike;
      if (!alike) close();
      if (child.kind === "scope") row.push(child);
      else rows.push(child);
    }
    close();
    return rows;
  }

  /** Very many items become consecutive runs of the topological order, recursively. */
  private runs(item: Item): Item[] {
    let level = item.children;
    let most = RUN;
    while (level.length > MANY) {
      const runs: Item[] = [];
      for (let begin = 0; begin < level.length;) {
        let end = begin;
        for (let taken = 0; end < level.length && taken < most; end++) {
          const child = level[end];
          if (most === RUNS || child.kind !== "node" || this.graph.nodes[child.index].op) taken++;
        }
        // leaves stay with their reader, which follows them
        const run = blank("", "run", "", -1);
        run.children = level.slice(begin, end);
        span(run);
        run.key = `${item.key}[${run.first}…${run.last}]${most === RUN ? "" : "+"}`;
        runs.push(run);
        begin = end;
      }
      level = runs;
      most = RUNS;
    }
    const name = (runs: Item[], from: number): void => {
      for (const run of runs) {
        if (run.kind !== "run") continue;
        run.title = `nodes ${from.toLocaleString("en")}–${(from + run.count - 1).toLocaleString("en")}`;
        name(run.children, from);
        from += run.count;
      }
    };
    name(level, 1);
    return level;
  }
}

function blank(key: string, kind: Item["kind"], title: string, index: number): Item {
  const inside = kind === "node";
  return {
    key,
    kind,
    title,
    index,
    parent: null,
    children: [],
    depth: 0,
    count: inside ? 1 : 0,
    first: inside ? index : Infinity,
    last: inside ? index : -1,
  };
}

function span(item: Item): void {
  item.count = 0;
  for (const child of item.children) {
    item.count += child.count;
    item.first = Math.min(item.first, child.first);
    item.last = Math.max(item.last, child.last);
  }
}
