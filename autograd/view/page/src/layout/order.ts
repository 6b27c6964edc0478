/**
 * Second step: the order within each layer, with few crossings and clusters kept together.
 *
 * The port of `layout/order.py`.  Barycentre sweeps (Sugiyama, Tagawa, Toda: "Methods for visual
 * understanding of hierarchical system structures", 1981).  Every vertex wants to stand at the
 * mean of its neighbours in the layer before, then, sweeping back, in the layer after.
 */

import { crossings, exchange, seats } from "./crossings";
import type { Net } from "./net";

const SWEEPS = 36;
const [SMALL, MEDIUM] = [600, 4000]; // vertices up to which all sweeps are made, or a third
const CAREFUL = 10_000; // vertices up to which crossings are counted and neighbours are exchanged

type Lists = readonly (readonly number[])[];

/** Sort `net.rows` and give every vertex a first position in `net.at`. */
export function order(net: Net): void {
  const size = net.home.length;
  const careful = size <= CAREFUL;
  net.at = planted(net);
  const wish = new Float64Array(size);
  let means = clusterMeans(net);
  for (const row of net.rows) {
    for (const v of row) wish[v] = net.at[v];
    sort(net, row, wish, means);
  }
  wish.fill(0);
  for (const row of net.rows) settle(net, row, wish);
  let best = copy(net);
  let fewest = careful ? crossings(net) : 0;
  const seated = careful ? seats(net) : [];
  const around = net.before.map((before, v) => [...before, ...net.after[v]]);
  const sweeps: [Lists, number[][]][] = [
    [net.after, [...net.rows].reverse()],
    [net.before, net.rows],
    [around, net.rows],
  ];
  const share = size <= SMALL ? 1 : size <= MEDIUM ? 3 : 6;
  for (let sweep = 0; sweep < SWEEPS / share; sweep++) {
    const [near, rows] = sweeps[sweep % 3];
    means = clusterMeans(net);
    for (const row of rows) {
      for (const v of row) wish[v] = wished(net, v, near[v].length ? near[v] : around[v], means);
      sort(net, row, wish, means);
      settle(net, row, wish);
    }
    if (careful) {
      exchange(net, seated);
      const count = crossings(net);
      if (count <= fewest) [best, fewest] = [copy(net), count];
    }
  }
  if (careful) [net.rows, net.at] = best;
}

function copy(net: Net): [number[][], number[]] {
  return [net.rows.map((row) => [...row]), [...net.at]];
}

/** The mean of the neighbours; without any, that of the cluster, or where the vertex stands. */
function wished(net: Net, vertex: number, around: readonly number[], means: number[]): number {
  if (around.length) {
    let sum = 0;
    for (const u of around) sum += net.at[u];
    return sum / around.length;
  }
  const cluster = net.home[vertex]; // a filler, or a box without arrows
  return cluster ? means[cluster] : net.at[vertex];
}

/**
 * Number the vertices in a walk from the results back to the inputs, operands in order.
 *
 * For a tree this is an order without any crossing, with `a` before `b` in `a @ b`.
 */
function planted(net: Net): number[] {
  const number = new Array<number>(net.home.length).fill(-1);
  let count = 0;
  for (let root = 0; root < number.length; root++) {
    if (net.after[root].length) continue;
    const stack = [root];
    while (stack.length) {
      const vertex = stack.pop()!;
      if (number[vertex] >= 0) continue;
      number[vertex] = count++;
      const operands = net.before[vertex];
      for (let i = operands.length - 1; i >= 0; i--) stack.push(operands[i]);
    }
  }
  return number;
}

/**
 * The mean position of all members of each cluster.
 *
 * Clusters are sorted by this one number in every layer, so two of them never change sides.
 */
function clusterMeans(net: Net): number[] {
  const sum = net.parent.map(() => 0);
  const count = net.parent.map(() => 0);
  if (sum.length === 1) return sum;
  net.home.forEach((cluster, vertex) => {
    sum[cluster] += net.at[vertex];
    count[cluster] += 1;
  });
  for (const cluster of net.insideOut) {
    sum[net.parent[cluster]] += sum[cluster];
    count[net.parent[cluster]] += count[cluster];
  }
  return sum.map((t, cluster) => (count[cluster] ? t / count[cluster] : 0));
}

/**
 * Sort `row` by wishes, clusters by the mean wish of their members; ties stay as they are.
 *
 * Sibling clusters share out their places by `means`, in the same order in every layer.
 */
function sort(net: Net, row: number[], wish: Float64Array, means: readonly number[]): void {
  if (row.every((vertex) => net.home[vertex] === net.home[row[0]])) {
    row.sort((a, b) => wish[a] - wish[b]);
    return;
  }
  const sums = new Map<number, number>(); // of the wishes of each cluster's members …
  const counts = new Map<number, number>(); // … and how many these are
  const units = new Map<number, number[]>([[0, []]]); // in each cluster: vertices, and ~clusters
  for (const vertex of row) {
    for (let c = net.home[vertex]; c; c = net.parent[c]) {
      if (!units.has(c)) units.set(c, []);
      sums.set(c, (sums.get(c) ?? 0) + wish[vertex]);
      counts.set(c, (counts.get(c) ?? 0) + 1);
    }
    units.get(net.home[vertex])!.push(vertex);
  }
  const siblings = new Map<number, number[]>();
  for (const cluster of [...sums.keys()].sort((c, d) => means[c] - means[d] || c - d)) {
    const parent = net.parent[cluster];
    const known = siblings.get(parent);
    if (known) known.push(cluster);
    else siblings.set(parent, [cluster]);
  }
  const place = new Map<number, number>();
  const turn = new Map<number, number>();
  for (const [parent, clusters] of siblings) {
    const places = clusters.map((c) => sums.get(c)! / counts.get(c)!).sort((p, q) => p - q);
    clusters.forEach((cluster, i) => {
      place.set(~cluster, places[i]);
      turn.set(~cluster, i);
      units.get(parent)!.push(~cluster);
    });
  }
  const wanted = (unit: number) => (unit < 0 ? place.get(unit)! : wish[unit]);
  const rank = (unit: number) => (unit < 0 ? turn.get(unit)! : -1);
  let i = 0;
  const stack = [~0];
  while (stack.length) {
    const unit = stack.pop()!;
    if (unit >= 0) row[i++] = unit;
    else {
      const inner = units.get(~unit)!.sort((a, b) => wanted(a) - wanted(b) || rank(a) - rank(b));
      for (let k = inner.length - 1; k >= 0; k--) stack.push(inner[k]);
    }
  }
}

/**
 * Place a layer as near to its wishes as its order and sizes permit, by least squares.
 *
 * Neighbours that would overlap join a pool, which stands at the mean of what its members want
 * (pool adjacent violators, the classical algorithm for isotonic regression); linear in time.
 */
function settle(net: Net, row: readonly number[], wish: Float64Array): void {
  let shift = 0; // from the first vertex of the row if all stood as close as they may
  const shifts = new Float64Array(row.length);
  const sums = new Float64Array(row.length); // of each pool: wishes less shifts …
  const counts = new Int32Array(row.length); // … and the number of members
  let pools = 0;
  for (let i = 0; i < row.length; i++) {
    if (i) shift += net.gap(row[i - 1], row[i]);
    shifts[i] = shift;
    let sum = wish[row[i]] - shift;
    let count = 1;
    for (; pools && sums[pools - 1] * count >= sum * counts[pools - 1]; pools--) {
      sum += sums[pools - 1];
      count += counts[pools - 1];
    }
    sums[pools] = sum;
    counts[pools++] = count;
  }
  let i = 0;
  for (let pool = 0; pool < pools; pool++) {
    for (let left = counts[pool]; left > 0; left--, i++) {
      net.at[row[i]] = sums[pool] / counts[pool] + shifts[i];
    }
  }
}
