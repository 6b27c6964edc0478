/** What is shown: which items are open, and the `Picture` that follows from it. */

import { dimensions, counted, MISSING, WIDEST } from "./numbers";
import type { Graph } from "./graph";
import type { Arrow, Box, Cluster, Picture } from "./picture";
import { type Item, Tree } from "./tree";

/** So many boxes are shown at the start, if there are more to be unfolded. */
export const START = 150;

export class Fold {
  readonly tree: Tree;
  private open = new Set<Item>();

  constructor(readonly graph: Graph) {
    this.tree = new Tree(graph);
  }

  /** Unfold the outermost as long as the boxes stay few, of equal modules side by side all or none.
   *
   * Rows of equal modules stay folded. */
  reset(most = START): void {
    this.open = new Set([this.tree.root]);
    let shown = this.boxes(this.tree.root);
    let level = this.tree.root.children;
    while (level.length) {
      const next: Item[] = [];
      for (const alike of this.alike(level)) {
        const more = alike.reduce((sum, item) => sum + this.boxes(item) - 1, 0);
        if (shown + more > most) continue;
        shown += more;
        for (const item of alike) {
          this.open.add(item);
          next.push(...item.children);
        }
      }
      level = next;
    }
  }

  /** The modules and runs of a level, those of one kind together. */
  private alike(level: Item[]): Item[][] {
    const kinds = new Map<string, Item[]>();
    for (const item of level) {
      if (item.kind !== "scope" && item.kind !== "run") continue;
      const kind = item.kind === "run" ? "run" : this.graph.trace.scopes[item.index].name;
      const there = kinds.get(kind);
      if (there) there.push(item);
      else kinds.set(kind, [item]);
    }
    return [...kinds.values()];
  }

  private boxes(item: Item): number {
    let boxes = 0;
    for (const child of item.children)
      boxes += child.kind === "node" && this.graph.nodes[child.index].op ? 2 : 1;
    return boxes;
  }

  /** What is open, to come back to. */
  get state(): ReadonlySet<Item> {
    return new Set(this.open);
  }

  set state(open: ReadonlySet<Item>) {
    this.open = new Set(open);
  }

  isOpen(item: Item): boolean {
    return item.kind !== "node" && this.open.has(item);
  }

  set(item: Item, open: boolean): boolean {
    if (item.kind === "node" || item === this.tree.root || this.isOpen(item) === open) return false;
    if (open) this.open.add(item);
    else this.open.delete(item);
    return true;
  }

  /** Open all that hides an item. */
  reveal(item: Item): boolean {
    let changed = false;
    for (let at = item.parent; at; at = at.parent) changed = this.set(at, true) || changed;
    return changed;
  }

  all(open: boolean): void {
    const root = this.tree.root;
    this.open = new Set(
      open ? [...this.tree.byKey.values()].filter((i) => i.kind !== "node") : [root],
    );
    this.open.add(root);
  }

  /** Open the outermost items that are closed. */
  level(): void {
    let least = Infinity;
    const closed: Item[] = [];
    this.each((item) => {
      if (item.kind === "node" || this.isOpen(item)) return;
      least = Math.min(least, item.depth);
      closed.push(item);
    });
    for (const item of closed) if (item.depth === least) this.open.add(item);
  }

  /** Close the innermost items that are open. */
  unlevel(): void {
    let most = 0;
    const opened: Item[] = [];
    this.each((item) => {
      if (!this.isOpen(item)) return;
      most = Math.max(most, item.depth);
      opened.push(item);
    });
    for (const item of opened) if (item.depth === most) this.open.delete(item);
  }

  /** Every item that is shown, as a box or as a frame, outermost first. */
  each(visit: (item: Item) => void): void {
    const stack = [...this.tree.root.children].reverse();
    while (stack.length) {
      const item = stack.pop()!;
      visit(item);
      if (this.isOpen(item)) for (let k = item.children.length; k--;) stack.push(item.children[k]);
    }
  }

  /** The item that stands for a node: its own, or the outermost closed one around it. */
  shown(node: number): Item {
    let item = this.tree.leaves[node];
    for (let at = item.parent; at; at = at.parent) if (!this.open.has(at)) item = at;
    return item;
  }

  /** What is shown; data flow down the page, or to the right. */
  picture(down = false): Picture {
    const { graph } = this;
    const boxes: Box[] = [];
    const clusters: Cluster[] = [];
    const arrows = new Map<string, Arrow>();
    const stands: Item[] = new Array(graph.nodes.length);
    const frames = new Map<Item, string>();
    this.each((item) => {
      const cluster = frames.get(item.parent!) ?? null;
      if (this.isOpen(item)) {
        frames.set(item, item.key);
        clusters.push({ key: item.key, title: item.title, parent: cluster });
      } else if (item.kind === "node") {
        stands[item.index] = item;
        boxes.push(...nodeBoxes(graph, item.index, item.key, cluster, down));
      } else {
        for (const inner of inside(item)) stands[inner] = item;
        boxes.push(this.groupBox(item, cluster));
      }
    });
    const join = (tail: string, head: string) => {
      const key = `${tail}\n${head}`;
      if (tail !== head && !arrows.has(key)) arrows.set(key, { tail, head });
    };
    graph.nodes.forEach((node, i) => {
      if (!node.op) return;
      const item = stands[i];
      const single = item.kind === "node";
      const into = single && hasPill(graph, i) ? pill(item.key) : item.key;
      const repeated = single && new Set(node.inputs).size < node.inputs!.length;
      (node.inputs ?? []).forEach((x, k) => {
        const from = stands[x];
        const tail =
          from.kind === "node" && graph.nodes[x].parts !== undefined ? pill(from.key) : from.key;
        if (repeated && from.kind === "node")
          arrows.set(`${tail}\n${into}\n${k}`, { tail, head: into });
        else join(tail, into);
      });
      if (into !== item.key && graph.nodes[i].parts === undefined) join(into, item.key);
    });
    return { boxes, arrows: [...arrows.values()], clusters, rankdir: down ? "TB" : "LR" };
  }

  /** The box of a folded item: its name, what goes in and out, how much is inside. */
  private groupBox(item: Item, cluster: string | null): Box {
    const { graph } = this;
    const { entry, exit } = ends(graph, item);
    const flow = `${entry} → ${exit}`;
    const lines = [item.title];
    if (entry && exit && item.kind !== "run") lines.push(flow);
    lines.push(counted(operations(graph, item), "operation"));
    return { key: item.key, kind: "value", lines, cluster };
  }
}

/** The key of the pill of a node's operation. */
export function pill(key: string): string {
  return `${key} op`;
}

/** A part of several results is joined to the pill that all of them come from. */
export function hasPill(graph: Graph, i: number): boolean {
  const { op } = graph.nodes[i];
  return op !== undefined && op !== "part";
}

/** The nodes inside an item. */
export function* inside(item: Item): Generator<number> {
  const stack = [item];
  while (stack.length) {
    const at = stack.pop()!;
    if (at.kind === "node") yield at.index;
    else for (let k = at.children.length; k--;) stack.push(at.children[k]);
  }
}

export function operations(graph: Graph, item: Item): number {
  let count = 0;
  for (const i of inside(item)) if (hasPill(graph, i)) count++;
  return count;
}

/** The shapes of the first data to enter an item and of the last to leave it. */
export function ends(graph: Graph, item: Item): { entry: string; exit: string } {
  const within = new Set(inside(item));
  let entry = "";
  let exit = "";
  for (const i of [...within].sort((a, b) => a - b)) {
    const node = graph.nodes[i];
    for (const x of node.inputs ?? []) {
      if (!entry && !within.has(x) && graph.nodes[x].kind !== "parameter")
        entry = dimensions(graph.nodes[x].shape);
    }
    const leaves = graph.readers[i].some((reader) => !within.has(reader)) || i === graph.trace.root;
    if (node.op && leaves) exit = dimensions(node.shape);
  }
  return { entry, exit };
}

/** A node's box and its operation's pill, sized for numbers of any length. */
function nodeBoxes(
  graph: Graph,
  i: number,
  key: string,
  cluster: string | null,
  slim: boolean,
): Box[] {
  const node = graph.nodes[i];
  const boxes: Box[] = [];
  if (hasPill(graph, i))
    boxes.push({ key: pill(key), kind: "op", lines: [graph.symbol(i)], cluster });
  if (node.parts === undefined)
    boxes.push({ key, kind: node.kind, lines: rows(graph, i, slim), cluster });
  return boxes;
}

/** What is written in a box; in a slim one each number has a row of its own. */
function rows(graph: Graph, i: number, slim: boolean): string[][] {
  const node = graph.nodes[i];
  const name = (node.op === "part" ? node.name : node.name && graph.titles[i]) ?? "";
  const stacked = (cells: string[]) =>
    slim ? [[name], ...cells.map((cell) => [cell])] : [name ? [name, ...cells] : cells];
  if (node.shape === undefined) {
    if (node.kind === "constant" && !node.requires_grad)
      return stacked([`data ${WIDEST}`, ...(slim ? [] : [`grad ${MISSING}`])]);
    return stacked([`data ${WIDEST}`, `grad ${WIDEST}`]);
  }
  const shape = dimensions(node.shape);
  const first = name ? [[name]] : [[""]];
  if (!node.dtype || node.dtype === "float")
    return [...first, [`${shape} ${node.dtype ?? ""}`.trim()], [WIDEST]];
  const facts: string[][] = [[`${shape} ${node.dtype}`]];
  if (node.data === undefined && node.grad === undefined) return [...first, ...facts];
  if (!/^(bool|u?int)/.test(node.dtype)) {
    const bar = node.shape.length ? "|" : "";
    const cells = [
      `${bar}data${bar} ${WIDEST}`,
      `${bar}grad${bar} ${node.requires_grad ? WIDEST : MISSING}`,
    ];
    facts.push(...(slim ? cells.map((cell) => [cell]) : [cells]));
  }
  return [...first, ...facts];
}
