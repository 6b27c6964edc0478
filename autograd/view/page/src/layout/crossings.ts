/**
 * Edges that cross: how many there are, and where an exchange of neighbours leaves fewer.
 *
 * The port of `layout/crossings.py`.
 */

import { bisectLeft, bisectRight, insort } from "../bisect";
import type { Net } from "./net";

const EXCHANGES = 6; // rounds
const FRAME_COST = 4; // crossings that an arrow across a foreign frame is as bad as

/** How many pairs of edges cross, counting an edge across a foreign frame several times. */
export function crossings(net: Net): number {
  let count = 0;
  const place = places(net);
  for (const row of net.rows) {
    const passed: number[] = [];
    for (const vertex of row) {
      const ends = sortedPlaces(place, net.after[vertex]);
      for (const end of ends) count += passed.length - bisectRight(passed, end);
      for (const end of ends) insort(passed, end);
    }
  }
  if (net.parent.length > 1) {
    const reaches = net.rows.map((row) => reachesOf(net, row));
    net.rows.slice(1).forEach((_, i) => {
      count += FRAME_COST * framesCrossed(net, net.rows[i], place, reaches[i], reaches[i + 1]);
    });
  }
  return count;
}

/** The first and the last place of each cluster in a layer. */
export type Reaches = Map<number, [number, number]>;

/** How often an edge out of `row` passes from one side of a frame to the other. */
function framesCrossed(
  net: Net,
  row: readonly number[],
  place: Int32Array,
  here: Reaches,
  there: Reaches,
): number {
  const frames: { low: number; high: number; lowThere: number; highThere: number }[] = [];
  for (const [cluster, [low, high]] of here) {
    const far = there.get(cluster);
    if (far) frames.push({ low, high, lowThere: far[0], highThere: far[1] });
  }
  if (!frames.length) return 0;
  let count = 0;
  const left: number[] = []; // ends of the frames that lie wholly before the vertex …
  const right: number[] = []; // … and wholly behind it
  const byHigh = [...frames].sort((f, g) => f.high - g.high);
  let k = 0;
  for (let p = 0; p < row.length; p++) {
    for (; k < byHigh.length && byHigh[k].high < p; k++) insort(left, byHigh[k].lowThere);
    for (const u of net.after[row[p]]) count += left.length - bisectRight(left, place[u]);
  }
  const byLow = [...frames].sort((f, g) => g.low - f.low);
  k = 0;
  for (let p = row.length - 1; p >= 0; p--) {
    for (; k < byLow.length && byLow[k].low > p; k++) insort(right, byLow[k].highThere);
    for (const u of net.after[row[p]]) count += bisectLeft(right, place[u]);
  }
  return count;
}

/** How far each cluster reaches in `row`. */
export function reachesOf(net: Net, row: readonly number[]): Reaches {
  const found: Reaches = new Map();
  row.forEach((vertex, i) => {
    for (let cluster = net.home[vertex]; cluster; cluster = net.parent[cluster]) {
      const known = found.get(cluster);
      if (known) known[1] = i;
      else found.set(cluster, [i, i]);
    }
  });
  return found;
}

function places(net: Net): Int32Array {
  const place = new Int32Array(net.home.length);
  for (const row of net.rows) row.forEach((vertex, i) => (place[vertex] = i));
  return place;
}

function sortedPlaces(place: Int32Array, around: readonly number[]): number[] {
  const ends = around.map((u) => place[u]);
  return ends.length > 1 ? ends.sort((p, q) => p - q) : ends;
}

/** For each vertex its heads, each with the vertex's place among the head's operands. */
export type Seats = Map<number, number>[];

export function seats(net: Net): Seats {
  const found: Seats = net.after.map(() => new Map());
  net.before.forEach((operands, head) => operands.forEach((v, i) => found[v].set(head, i)));
  return found;
}

/**
 * Exchange neighbours where that removes crossings, or puts operands in order at no cost.
 *
 * Neighbours are two vertices of one cluster, or a vertex and a whole cluster beside it.
 */
export function exchange(net: Net, seated: Seats): void {
  const place = places(net);
  let fresh = new Set(net.rows.keys()); // layers in which or beside which something has changed
  for (let round = 0; round < EXCHANGES && fresh.size; round++) {
    const changed = [...fresh]
      .sort((a, b) => a - b)
      .filter((layer) => exchangeIn(net, net.rows[layer], place, seated));
    fresh = new Set(changed.flatMap((layer) => [layer - 1, layer, layer + 1]));
    fresh.delete(-1);
    fresh.delete(net.rows.length);
  }
}

function exchangeIn(net: Net, row: number[], place: Int32Array, seated: Seats): boolean {
  let changed = false;
  const ends = new Map<number, [number[], number[]]>(); // sorted places of its neighbours
  if (row.length > 1) {
    for (const v of row) {
      ends.set(v, [sortedPlaces(place, net.before[v]), sortedPlaces(place, net.after[v])]);
    }
  }
  for (let i = 0; i + 1 < row.length; i++) {
    let [begin, end] = [i, i + 2];
    if (net.home[row[i]] !== net.home[row[i + 1]]) [begin, end] = units(net, row, i);
    const left = row.slice(begin, i + 1);
    const right = row.slice(i + 1, end);
    if (!left.length || !right.length) continue;
    let gain = 0; // how many crossings fewer there are with `right` before `left`
    for (const v of left) {
      for (const u of right) {
        const [before, after] = ends.get(v)!;
        const [beforeOther, afterOther] = ends.get(u)!;
        gain += inverted(before, beforeOther) + inverted(after, afterOther);
      }
    }
    if (gain > 0 || (gain === 0 && misplaced(net, seated, left[left.length - 1], right[0]))) {
      [...right, ...left].forEach((v, k) => {
        row[begin + k] = v;
        place[v] = begin + k;
      });
      const up = net.at[right[0]] - net.at[left[0]];
      const down = net.at[right[right.length - 1]] - net.at[left[left.length - 1]];
      for (const v of right) net.at[v] -= up;
      for (const v of left) net.at[v] += down;
      changed = true;
    }
  }
  return changed;
}

/** Whether the two are operands of one op, and `right` is the earlier one. */
function misplaced(net: Net, seated: Seats, left: number, right: number): boolean {
  for (const head of net.after[left]) {
    const seat = seated[right].get(head);
    if (seat !== undefined) return seat < seated[left].get(head)!;
  }
  return false;
}

/**
 * The range of the two siblings that meet behind place `i`, a vertex and a cluster beside it.
 *
 * It is empty where two clusters meet: they must keep to the same order in all layers.
 */
function units(net: Net, row: readonly number[], i: number): [number, number] {
  let [a, b] = [net.home[row[i]], net.home[row[i + 1]]];
  let [left, right] = [0, 0]; // the outermost clusters around one and not around the other
  while (a !== b) {
    if (net.depth[a] >= net.depth[b]) [left, a] = [a, net.parent[a]];
    else [right, b] = [b, net.parent[b]];
  }
  if (left && right) return [i + 1, i + 1];
  let [begin, end] = [i, i + 2];
  while (left && begin > 0 && within(net, row[begin - 1], left)) begin -= 1;
  while (right && end < row.length && within(net, row[end], right)) end += 1;
  return [begin, end];
}

function within(net: Net, vertex: number, cluster: number): boolean {
  let at = net.home[vertex];
  while (net.depth[at] > net.depth[cluster]) at = net.parent[at];
  return at === cluster;
}

/** Over all pairs of `a` and `b`, both sorted: how many more have a > b than a < b. */
function inverted(a: readonly number[], b: readonly number[]): number {
  let balance = 0;
  let [less, most] = [0, 0]; // how many of `a` are smaller, and at most as large
  for (const end of b) {
    while (less < a.length && a[less] < end) less++;
    if (most < less) most = less;
    while (most < a.length && a[most] <= end) most++;
    balance += a.length - most - less;
  }
  return balance;
}
