/**
 * Who must stand above whom, and how far: the demands of a sorted drawing on its coordinates.
 *
 * The port of `layout/demands.py`.  What should be straight is one rigid run (see `runs`).  Runs
 * and the two borders of each cluster are variables; "this stands above that, at least so far
 * away" is a difference between two of them, and all differences together are a graph, without
 * cycles as straight lines cross neither one another nor frames.
 */

import type { Net } from "./net";
import { lists, peel } from "./ranks";

export const FRAME = 12; // between a cluster's frame and what is inside
const FRAME_GAP = 14; // between a cluster's frame and what is outside
export const TITLE = 20; // extra room for a title, above the members

/** Positions of runs (0 … r-1), then the upper and the lower border of each cluster. */
export class Demands {
  readonly run: Int32Array; // of each vertex; -1: not in these rows
  readonly clusters = new Map<number, number>(); // numbered in the order in which they are met
  readonly size: number;
  // Demand i: `above[i]` stands above `below[i]`, at least `distance[i]` away.
  readonly above: number[] = [];
  readonly below: number[] = [];
  readonly distance: number[] = [];
  private readonly known = new Map<number, number>(); // by pair
  readonly before: number[][]; // for each variable the demands in which it is below …
  readonly after: number[][]; // … and those in which it is above
  readonly topological: number[];

  constructor(
    readonly net: Net,
    readonly rows: readonly (readonly number[])[],
    readonly runs: readonly (readonly number[])[],
  ) {
    this.run = new Int32Array(net.home.length).fill(-1);
    runs.forEach((run, i) => run.forEach((vertex) => (this.run[vertex] = i)));
    for (const home of new Set(rows.flatMap((row) => row.map((vertex) => net.home[vertex])))) {
      for (let c = home; c && !this.clusters.has(c); c = net.parent[c]) {
        this.clusters.set(c, this.clusters.size);
      }
    }
    this.size = runs.length + 2 * this.clusters.size;
    for (const row of rows) this.constrain(row);
    if (net.down) {
      for (const cluster of this.clusters.keys()) {
        const i = this.between(this.upper(cluster), this.lower(cluster));
        this.distance[i] = net.titles[cluster];
      }
    }
    this.before = lists(this.size);
    this.after = lists(this.size);
    for (let i = 0; i < this.distance.length; i++) {
      this.after[this.above[i]].push(i);
      this.before[this.below[i]].push(i);
    }
    this.topological = peel(this.before, this.after, (i) => this.below[i]);
  }

  upper(cluster: number): number {
    return this.runs.length + 2 * this.clusters.get(cluster)!;
  }

  lower(cluster: number): number {
    return this.upper(cluster) + 1;
  }

  /** The demand that variable `a` stand above `b`, made where there is none yet. */
  private between(a: number, b: number): number {
    const pair = a * this.size + b;
    let i = this.known.get(pair);
    if (i === undefined) {
      this.known.set(pair, (i = this.distance.length));
      this.above.push(a);
      this.below.push(b);
      this.distance.push(0);
    }
    return i;
  }

  /** Between neighbours of a layer stand the borders of the clusters that end or begin. */
  private constrain(row: readonly number[]): void {
    const { net, run } = this;
    const title = net.down ? 0 : TITLE;
    let last = -1; // the vertex before
    let around: number[] = []; // and the clusters around it
    for (let i = 0; i <= row.length; i++) {
      const vertex = i < row.length ? row[i] : -1;
      if (last >= 0 && vertex >= 0 && net.home[last] === net.home[vertex]) {
        this.demand(run[last], run[vertex], net.gap(last, vertex));
        last = vertex;
        continue;
      }
      const ancestors = vertex >= 0 ? net.ancestors(vertex) : [];
      let shared = 0;
      while (shared < around.length && around[shared] === ancestors[shared]) shared++;
      // What is met on the way from the one to the other, each with its distance.
      let met = last >= 0 ? run[last] : -1;
      const meet = (next: number, distance: number) => {
        if (met >= 0) this.demand(met, next, distance);
        met = next;
      };
      let room = last >= 0 ? net.across[last] / 2 + FRAME : 0;
      for (let k = around.length - 1; k >= shared; k--) {
        meet(this.lower(around[k]), room);
        room = FRAME;
      }
      if (shared < around.length) room = FRAME_GAP;
      else if (last >= 0) room += FRAME_GAP - FRAME;
      for (const cluster of ancestors.slice(shared)) {
        meet(this.upper(cluster), room);
        room = FRAME + (net.titles[cluster] ? title : 0);
      }
      if (vertex >= 0) meet(run[vertex], room + net.across[vertex] / 2);
      last = vertex;
      around = ancestors;
    }
  }

  private demand(a: number, b: number, distance: number): void {
    const i = this.between(a, b);
    this.distance[i] = Math.max(distance, this.distance[i]);
  }

  /** The longest path to each variable: the lowest coordinates from those of `start` on. */
  lowest(start: ArrayLike<number>): Float64Array {
    const { topological, after, below, distance } = this;
    const low = Float64Array.from(start);
    for (const a of topological) {
      for (const i of after[a]) {
        const reached = low[a] + distance[i];
        if (low[below[i]] < reached) low[below[i]] = reached;
      }
    }
    return low;
  }

  /** The longest path from each variable: the highest coordinates up to those of `start`. */
  highest(start: ArrayLike<number>): Float64Array {
    const { topological, before, above, distance } = this;
    const high = Float64Array.from(start);
    for (let k = topological.length - 1; k >= 0; k--) {
      const b = topological[k];
      for (const i of before[b]) {
        const reached = high[b] - distance[i];
        if (high[above[i]] > reached) high[above[i]] = reached;
      }
    }
    return high;
  }

  /** The mean of the two extreme placements for these wishes, one for each run. */
  feasible(wish: readonly number[]): number[] {
    const low = new Float64Array(this.size).fill(-Infinity);
    const high = new Float64Array(this.size).fill(Infinity);
    low.set(wish);
    high.set(wish);
    const [lowest, highest] = [this.lowest(low), this.highest(high)];
    return Array.from(lowest, (bottom, i) => (bottom + highest[i]) / 2);
  }
}
