/**
 * First step: the layer of every box, so that arrows run from lower layers to higher ones.
 *
 * The port of `layout/ranks.py`.  A box stands one layer after the latest of its inputs (the
 * longest path), and what feeds only one consumer, such as a parameter, is pulled next to it.
 * Clusters are ranked from the inside out: a cluster of three layers takes three layers of its
 * parent, so that modules in a row follow one another instead of sharing layers.
 */

export type Edge = readonly [number, number];

/**
 * Which edges must be turned around to leave no cycle.
 *
 * A depth-first walk from the sources turns the edges that lead back to a box it is still busy
 * with, which may be the box they come from.
 */
export function turned(count: number, edges: readonly Edge[]): boolean[] {
  const out = lists(count);
  const entered = new Array<boolean>(count).fill(false);
  edges.forEach(([tail, head], i) => {
    out[tail].push(i);
    entered[head] = true;
  });
  const back = new Array<boolean>(edges.length).fill(false);
  const [fresh, busy, done] = [0, 1, 2];
  const state = new Uint8Array(count);
  const next = new Int32Array(count); // of the edges out of a box, the first not yet walked
  const boxes = range(count);
  for (const start of [...boxes.filter((b) => !entered[b]), ...boxes.filter((b) => entered[b])]) {
    if (state[start] !== fresh) continue;
    state[start] = busy;
    const walk = [start];
    while (walk.length) {
      const box = walk[walk.length - 1];
      if (next[box] === out[box].length) {
        state[box] = done;
        walk.pop();
        continue;
      }
      const i = out[box][next[box]++];
      const head = edges[i][1];
      if (state[head] === busy) back[i] = true;
      else if (state[head] === fresh) {
        state[head] = busy;
        walk.push(head);
      }
    }
  }
  return back;
}

/**
 * The layer of each box, for edges without a cycle.
 *
 * `homes[box]` is the box's innermost cluster and `parents[cluster]` that cluster's parent;
 * cluster 0 is the whole picture, its own parent.  Two clusters that feed each other cannot follow
 * one another: such clusters are loosened, their members ranked as if they stood outside.
 */
export function ranks(
  homes: readonly number[],
  parents: readonly number[],
  edges: readonly Edge[],
): number[] {
  const loose = new Set<number>();
  for (;;) {
    const items = new Items(homes, parents, edges, loose);
    const tangled = items.tangled();
    if (!tangled.length) return items.layers();
    for (const cluster of tangled) loose.add(cluster);
  }
}

/**
 * Boxes and clusters as items; edges lead between items with the same owner only.
 *
 * Item i < n is a box, item n + c is cluster c.
 */
class Items {
  readonly boxes: number;
  readonly depth: number[];
  readonly owner: number[];
  readonly before: number[][];
  readonly after: number[][];
  readonly fed: boolean[]; // by something outside its owner

  constructor(
    homes: readonly number[],
    parents: readonly number[],
    edges: readonly Edge[],
    readonly loose: ReadonlySet<number>,
  ) {
    const n = (this.boxes = homes.length);
    this.depth = depths(parents);
    this.owner = [...homes, ...parents].map((cluster) => {
      while (loose.has(cluster)) cluster = parents[cluster];
      return cluster;
    });
    const { owner, depth } = this;
    const size = owner.length;
    this.before = lists(size);
    this.after = lists(size);
    this.fed = new Array<boolean>(size).fill(false);
    const known = new Set<number>();
    for (let [a, b] of edges) {
      while (owner[a] !== owner[b]) { // climb to the level where both are siblings
        if (depth[owner[a]] >= depth[owner[b]]) a = n + owner[a];
        else {
          this.fed[b] = true;
          b = n + owner[b];
        }
      }
      if (a !== b && !known.has(a * size + b)) {
        known.add(a * size + b);
        this.after[a].push(b);
        this.before[b].push(a);
      }
    }
  }

  /** The clusters that lie on a cycle, or between two. */
  tangled(): number[] {
    const free = new Uint8Array(this.owner.length);
    for (const item of peel(this.before, this.after)) free[item] = 1;
    for (const item of peel(this.after, this.before)) free[item] = 1;
    return range(this.depth.length).filter((cluster) => !free[this.boxes + cluster]);
  }

  layers(): number[] {
    const n = this.boxes;
    const members = lists(this.depth.length);
    for (const item of peel(this.before, this.after)) {
      if (item !== n && !this.loose.has(item - n)) members[this.owner[item]].push(item);
    }
    const length = this.owner.map((_, item) => Number(item < n));
    const start = this.owner.map(() => 0);
    const insideOut = range(this.depth.length).sort((c, d) => this.depth[d] - this.depth[c]);
    for (const cluster of insideOut) {
      this.rank(members[cluster], start, length);
      let end = 0;
      for (const item of members[cluster]) end = Math.max(end, start[item] + length[item]);
      length[n + cluster] = end;
    }
    for (const cluster of insideOut.reverse()) {
      for (const item of members[cluster]) start[item] += start[n + cluster];
    }
    return start.slice(0, n);
  }

  /** Rank `items`, siblings in topological order, from layer 0 of their owner. */
  private rank(items: readonly number[], start: number[], length: readonly number[]): void {
    const free = new Map<number, boolean>(); // feeds, with all that feeds it, a single consumer
    for (const item of items) {
      let earliest = 0;
      let alone = !this.fed[item];
      for (const i of this.before[item]) {
        earliest = Math.max(earliest, start[i] + length[i]);
        alone &&= free.get(i)! && this.after[i].length === 1;
      }
      start[item] = earliest;
      free.set(item, alone);
    }
    for (let k = items.length - 1; k >= 0; k--) {
      const item = items[k];
      const outputs = this.after[item];
      const inputsCount = this.before[item].length + Number(this.fed[item]);
      if (outputs.length && (free.get(item) || inputsCount < outputs.length)) {
        let latest = Infinity;
        for (const i of outputs) latest = Math.min(latest, start[i]);
        start[item] = latest - length[item];
      }
    }
  }
}

/** How deep each cluster lies; the picture, cluster 0, is at depth 0. */
export function depths(parents: readonly number[]): number[] {
  const known: number[] = new Array<number>(parents.length).fill(-1);
  known[0] = 0;
  for (let cluster = 0; cluster < parents.length; cluster++) {
    const path = [];
    let at = cluster;
    while (known[at] < 0) {
      path.push(at);
      at = parents[at];
    }
    path.reverse().forEach((inner, step) => (known[inner] = known[at] + step + 1));
  }
  return known;
}

/** Topological order; vertices on a cycle, or reached only through one, are left out. */
export function peel(
  before: readonly { readonly length: number }[],
  after: readonly (readonly number[])[],
  headOf = (item: number): number => item, // where `after` lists something else than heads
): number[] {
  const waiting = before.map((inputs) => inputs.length);
  const order = range(waiting.length).filter((vertex) => waiting[vertex] === 0);
  for (let k = 0; k < order.length; k++) { // grows while it is read
    for (const item of after[order[k]]) {
      const head = headOf(item);
      if (--waiting[head] === 0) order.push(head);
    }
  }
  return order;
}

/** 0, 1 … count-1. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

/** As many empty arrays. */
export function lists(count: number): number[][] {
  return Array.from({ length: count }, () => []);
}
