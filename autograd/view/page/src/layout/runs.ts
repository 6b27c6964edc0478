/**
 * What should be drawn on one straight line: long arrows, and the trunk of a network.
 *
 * The port of `layout/runs.py`.  In the spirit of Brandes and Köpf ("Fast and simple horizontal
 * coordinate assignment", 2002), who align each vertex with a neighbour in the middle; here it is
 * the neighbour on the longest path.
 */

import { bisectLeft, compare } from "../bisect";
import { type Reaches, reachesOf } from "./crossings";
import type { Net } from "./net";

/** For each vertex the neighbour ahead, and behind, to which its line should be straight, or -1. */
export interface Trunks {
  ahead: number[];
  behind: number[];
}

/**
 * The neighbours on the trunk of the network.
 *
 * Ahead lies the one on the longest way to a result.  Behind, of all that favour it so, lies the
 * one at the end of the longest straight line; so data flow straight on where parameters join, and
 * a running sum where its terms do.  Ties favour nobody: `a` and `b` stand on either side of
 * `a * b`.
 */
export function trunks(net: Net): Trunks {
  const ahead = net.home.map(() => -1);
  const behind = net.home.map(() => -1);
  let length = net.home.map(() => 0);
  for (const row of [...net.rows].reverse()) {
    for (const v of row) {
      const u = longestOf(net.after[v], length);
      ahead[v] = u.alone;
      length[v] = u.length + Number(!net.light[v]);
    }
  }
  length = net.lane.map((lane) => (lane ? 0.5 : 0)); // a lane from the side beats a parameter
  for (const row of net.rows) {
    for (const v of row) {
      const u = longestOf(net.before[v], length, (u) => ahead[u] === v);
      behind[v] = u.alone;
      length[v] = Math.max(length[v], u.length + Number(!net.light[v]));
    }
  }
  return { ahead, behind };
}

/** Which of those `around` that count has the greatest length, or -1 if several; and that length. */
function longestOf(
  around: readonly number[],
  lengths: readonly number[],
  counts?: (vertex: number) => boolean,
): { alone: number; length: number } {
  let [alone, length] = [-1, -1];
  for (const u of around) {
    if (counts && !counts(u)) continue;
    if (lengths[u] > length) [alone, length] = [u, lengths[u]];
    else if (lengths[u] === length) alone = -1;
  }
  return { alone, length: Math.max(length, 0) };
}

/** Partition the vertices of `rows` into runs, each to be drawn on one straight line. */
export function runs(net: Net, straight: Trunks, rows: readonly (readonly number[])[]): number[][] {
  const rank = new Int32Array(net.home.length).fill(-1); // -1: not in these rows
  for (const row of rows) row.forEach((vertex, i) => (rank[vertex] = i));
  const { ahead, behind } = straight;
  const follower = new Int32Array(net.home.length).fill(-1);
  const led = new Uint8Array(net.home.length);
  const lead = new Int32Array(net.home.length); // over how many layers lanes lead on from a vertex
  for (let layer = rows.length - 1; layer >= 0; layer--) {
    for (const v of rows[layer]) {
      for (const u of net.after[v]) {
        if (net.lane[u] && rank[u] >= 0) lead[v] = Math.max(lead[v], lead[u] + 1);
      }
    }
  }
  const reached = rows.map((row) => reachesOf(net, row));
  rows.forEach((row, layer) => {
    const lanes: [number, number][] = [];
    const others: [number, number][] = [];
    for (const v of row) {
      let next = -1;
      for (const u of net.lane[v] ? net.after[v] : []) {
        if (net.lane[u] && rank[u] >= 0 && (next < 0 || lead[u] > lead[next])) next = u;
      }
      if (next >= 0) {
        lanes.push([v, next]);
        continue;
      }
      const u = ahead[v];
      const mutual = u >= 0 && rank[u] >= 0 && behind[u] === v;
      if (mutual && (net.before[v].length || leadsOn(u, straight))) others.push([v, u]);
    }
    // Straight lines must not cross, nor borders of frames.
    const taken = borders(reached[layer], reached[layer + 1] ?? new Map());
    const lefts = taken.map(([left]) => left);
    const rights = taken.map(([, right]) => right);
    for (const [v, u] of [...lanes, ...others]) {
      const [left, right] = [rank[v], rank[u]];
      const spot = bisectLeft(lefts, left);
      if (spot > 0 && rights[spot - 1] >= right) continue;
      if (spot < rights.length && rights[spot] <= right) continue;
      lefts.splice(spot, 0, left);
      rights.splice(spot, 0, right);
      follower[v] = u;
      led[u] = 1;
    }
  });
  const found = [];
  for (const row of rows) {
    for (const v of row) {
      if (led[v]) continue;
      const run = [v];
      for (let u = follower[v]; u >= 0; u = follower[u]) run.push(u);
      found.push(run);
    }
  }
  return found;
}

/**
 * Where the borders of the frames that two layers share run, between places, in order.
 *
 * What crosses no such border can be straight: curves that lead from layer to layer and never
 * cross can be put in an order, each above the next.
 */
function borders(here: Reaches, there: Reaches): [number, number][] {
  const found: [number, number][] = [];
  for (const [cluster, [first, last]] of here) {
    const far = there.get(cluster);
    if (far) found.push([first - 0.5, far[0] - 0.5], [last + 0.5, far[1] + 0.5]);
  }
  return found.sort(compare);
}

/**
 * Whether the longest path through `vertex` is also that through the next.
 *
 * A source is drawn straight into such a vertex only: elsewhere it is one of several that join.
 */
function leadsOn(vertex: number, { ahead, behind }: Trunks): boolean {
  return ahead[vertex] < 0 || behind[ahead[vertex]] === vertex;
}
