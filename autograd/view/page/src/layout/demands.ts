/**
 * Who must stand above whom, and how far: the demands of a sorted drawing on its coordinates.
 *
 * The port of `layout/demands.py`.  What should be straight is one rigid run (see `runs`).  Runs
 * and the two borders of each cluster are variables; "this stands above that, at least so far
 * away" is a difference between two of them, and all differences together are a graph, without
 * cycles once the runs in its way are cut.
 */

import { compare } from "../bisect";
import type { Net } from "./net";
import { lists, peel, range } from "./ranks";

export const FRAME = 12; // between a cluster's frame and what is inside
const FRAME_GAP = 14; // between a cluster's frame and what is outside
export const TITLE = 20; // extra room for a title, above the members

const [SLACK, SPARE] = [1.6, 400]; // how much higher than its fullest layer a drawing may be

/** Positions of runs (0 … r-1), then the upper and the lower border of each cluster. */
export class Demands {
  readonly run: Int32Array; // of each vertex; -1: not in these rows
  readonly vertices: number; // how many are in these rows
  readonly clusters = new Map<number, number>(); // numbered in the order in which they are met
  readonly size: number;
  // Demand i: `above[i]` stands above `below[i]`, at least `distance[i]` away.
  readonly above: number[] = [];
  readonly below: number[] = [];
  readonly distance: number[] = [];
  private readonly seenIn: number[] = []; // a layer in which the two are neighbours
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
    this.vertices = rows.reduce((sum, row) => sum + row.length, 0);
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
      this.seenIn.push(-1);
    }
    return i;
  }

  /** Between neighbours of a layer stand the borders of the clusters that end or begin. */
  private constrain(row: readonly number[]): void {
    const { net, run } = this;
    const title = net.down ? 0 : TITLE;
    const layer = net.layer[row[0]];
    let last = -1; // the vertex before
    let around: number[] = []; // and the clusters around it
    for (let i = 0; i <= row.length; i++) {
      const vertex = i < row.length ? row[i] : -1;
      if (last >= 0 && vertex >= 0 && net.home[last] === net.home[vertex]) {
        this.demand(run[last], run[vertex], net.gap(last, vertex), layer);
        last = vertex;
        continue;
      }
      const ancestors = vertex >= 0 ? net.ancestors(vertex) : [];
      let shared = 0;
      while (shared < around.length && around[shared] === ancestors[shared]) shared++;
      // What is met on the way from the one to the other, each with its distance.
      let met = last >= 0 ? run[last] : -1;
      const meet = (next: number, distance: number) => {
        if (met >= 0) this.demand(met, next, distance, layer);
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

  private demand(a: number, b: number, distance: number, layer: number): void {
    const i = this.between(a, b);
    this.distance[i] = Math.max(distance, this.distance[i]);
    this.seenIn[i] = layer;
  }

  /** The variables that no placement can satisfy. */
  stuck(): Set<number> {
    const found = new Set(range(this.size));
    for (const variable of this.topological) found.delete(variable);
    return found;
  }

  /**
   * Which run to cut, and where, so that one circle of demands is broken; null without one.
   *
   * The run must stand above one thing in one layer and below another in a later layer, or the
   * other way round; it is cut between the two.
   */
  knot(): [number, number] | null {
    if (this.topological.length === this.size) return null;
    const stuck = this.stuck();
    const trail = [[...stuck][0]]; // the least
    const place = new Map([[trail[0], 0]]);
    for (;;) { // back along demands that are not met, until one comes up again
      const demands = this.before[trail[trail.length - 1]];
      const next = this.above[demands.find((i) => stuck.has(this.above[i]))!];
      trail.push(next);
      if (place.has(next)) break;
      place.set(next, trail.length - 1);
    }
    const circle = trail.slice(place.get(trail[trail.length - 1])).reverse(); // first and last: same
    let best: [length: number, run: number, cut: number] | null = null;
    for (let k = 0; k + 1 < circle.length; k++) {
      const [a, b, c] = [circle[k], circle[k + 1], circle[k + 2] ?? circle[1]];
      const [seen, then] = [this.seen(a, b), this.seen(b, c)];
      if (b >= this.runs.length || seen === then) continue;
      const choice: [number, number, number] = [
        this.runs[b].length,
        b,
        Math.max(seen, then) - this.net.layer[this.runs[b][0]],
      ];
      if (!best || compare(choice, best) < 0) best = choice;
    }
    if (!best) throw new Error("without longer runs the demands of a sorted layer agree");
    return [best[1], best[2]];
  }

  private seen(a: number, b: number): number {
    return this.seenIn[this.between(a, b)];
  }

  /**
   * Which runs to cut, and where, so that the drawing gets no higher than it must; or nothing.
   *
   * Every run alone may be straight, and yet each force the next to stand lower, layer after
   * layer.  Such stairs are the longest path through the demands.
   */
  stairs(): Map<number, number> {
    let needed = -Infinity;
    for (const row of this.rows) needed = Math.max(needed, this.height(row));
    const low = new Array<number>(this.size).fill(0);
    const step = new Array<number>(this.size).fill(-1); // the one before on the longest path
    for (const a of this.topological) {
      for (const i of this.after[a]) {
        const b = this.below[i];
        const reached = low[a] + this.distance[i];
        if (low[b] < reached) [low[b], step[b]] = [reached, a];
      }
    }
    let c = 0;
    for (let i = 1; i < this.size; i++) if (low[i] > low[c]) c = i;
    const cuts = new Map<number, number>();
    if (low[c] > SLACK * needed + SPARE) {
      for (; step[c] >= 0 && step[step[c]] >= 0; c = step[c]) {
        const [a, b] = [step[step[c]], step[c]];
        if (b >= this.runs.length || this.seen(a, b) === this.seen(b, c)) continue;
        const middle = Math.floor((this.seen(a, b) + this.seen(b, c) + 1) / 2);
        cuts.set(b, middle - this.net.layer[this.runs[b][0]]);
      }
    }
    return cuts;
  }

  private height(row: readonly number[]): number {
    let sum = 0;
    for (let i = 1; i < row.length; i++) sum += this.net.gap(row[i - 1], row[i]);
    return sum;
  }

  /** The mean of the two extreme placements for these wishes, one for each run. */
  feasible(wish: readonly number[]): number[] {
    const { size, topological, after, before, above, below, distance } = this;
    const low = new Float64Array(size).fill(-Infinity);
    const high = new Float64Array(size).fill(Infinity);
    low.set(wish);
    high.set(wish);
    for (const a of topological) {
      for (const i of after[a]) {
        const reached = low[a] + distance[i];
        if (low[below[i]] < reached) low[below[i]] = reached;
      }
    }
    for (let k = topological.length - 1; k >= 0; k--) {
      const b = topological[k];
      for (const i of before[b]) {
        const reached = high[b] - distance[i];
        if (high[above[i]] > reached) high[above[i]] = reached;
      }
    }
    return Array.from(low, (bottom, i) => (bottom + high[i]) / 2);
  }
}
