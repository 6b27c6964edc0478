/**
 * Second step: the order within each layer, with few crossings and clusters kept together.
 *
 * The port of `layout/order.py`.  Barycentre sweeps (Sugiyama, Tagawa, Toda: "Methods for visual
 * understanding of hierarchical system structures", 1981).  Every vertex wants to stand at the
 * mean of its neighbours in the layer before, then, sweeping back, in the layer after.
 */

import { total } from "../arithmetic";
import { compare } from "../bisect";
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
  const members = new Map<number, number[]>();
  for (const vertex of row) {
    for (let cluster = net.home[vertex]; cluster; cluster = net.parent[cluster]) {
      const wishes = members.get(cluster);
      if (wishes) wishes.push(wish[vertex]);
      else members.set(cluster, [wish[vertex]]);
    }
  }
  const siblings = new Map<number, number[]>();
  for (const cluster of [...members.keys()].sort((c, d) => means[c] - means[d] || c - d)) {
    const parent = net.parent[cluster];
    const known = siblings.get(parent);
    if (known) known.push(cluster);
    else siblings.set(parent, [cluster]);
  }
  const key = new Map<number, [number, number]>();
  for (const clusters of siblings.values()) {
    const places = clusters.map((c) => total(members.get(c)!) / members.get(c)!.length);
    places.sort((p, q) => p - q);
    clusters.forEach((cluster, i) => key.set(cluster, [places[i], i]));
  }
  const prefixes = new Map<number, number[]>([[0, []]]);
  const keys = new Map<number, number[]>();
  for (const vertex of row) {
    const home = net.home[vertex];
    let prefix = prefixes.get(home);
    if (!prefix) prefixes.set(home, (prefix = net.ancestors(vertex).flatMap((c) => key.get(c)!)));
    keys.set(vertex, [...prefix, wish[vertex], -1]);
  }
  row.sort((a, b) => compare(keys.get(a)!, keys.get(b)!));
}

/**
 * Place a layer as near to its wishes as its order and sizes permit, by least squares.
 *
 * Neighbours that would overlap join a pool, which stands at the mean of what its members want
 * (pool adjacent violators, the classical algorithm for isotonic regression); linear in time.
 */
function settle(net: Net, row: readonly number[], wish: Float64Array): void {
  let shift = 0; // from the first vertex of the row if all stood as close as they may
  const shifts: number[] = [];
  const sums: number[] = []; // of each pool: wishes less shifts …
  const counts: number[] = []; // … and the number of members
  for (let i = 0; i < row.length; i++) {
    if (i) shift += net.gap(row[i - 1], row[i]);
    shifts.push(shift);
    let [sum, count] = [wish[row[i]] - shift, 1];
    while (sums.length && sums[sums.length - 1] * count >= sum * counts[counts.length - 1]) {
      sum += sums.pop()!;
      count += counts.pop()!;
    }
    sums.push(sum);
    counts.push(count);
  }
  let i = 0;
  sums.forEach((sum, pool) => {
    for (let left = counts[pool]; left > 0; left--, i++) {
      net.at[row[i]] = sum / counts[pool] + shifts[i];
    }
  });
}
