/**
 * Third step: coordinates across the flow, with straight lines and frames that fit.
 *
 * The port of `layout/place.py`.  Every run wants to stand at the mean of what it is joined to.
 * Among all placements that satisfy the `Demands`, two are found by longest paths: the lowest and
 * the highest that start from these wishes.  Their mean satisfies the demands too, and is fair to
 * both sides.
 */

import { total } from "../arithmetic";
import { Demands } from "./demands";
import type { Net } from "./net";
import { runs, type Trunks } from "./runs";
import { levelled } from "./stairs";

/** What pulls at a run: other runs, how strongly each, and all of that together. */
interface Pull {
  runs: number[];
  weights: number[];
  total: number;
}

const ROUNDS = 60;
const POLISH = 12;
const SNAP = 10; // a bend by less is straightened
const MANY = 4000; // runs from which on fewer rounds must do …
const [SLACK, SPARE] = [1.25, 400]; // … in a drawing that is not so much higher than it must be
// How strongly a parameter pulls at what it feeds, and a neighbour that is not joined; all else
// pulls by 1.
const [LEAF, NEXT] = [0.1, 0.02];

/**
 * Turn the order of `net.rows`, from `begin` to before `end`, into positions, in `net.at`.
 *
 * Layers outside that range pull at nothing, and no line is kept straight into them.
 */
export function place(net: Net, straight: Trunks, begin: number, end: number): void {
  const rows = net.rows.slice(begin, end);
  const demands = new Demands(net, rows, runs(net, straight, rows));
  relax(net, new Demands(net, rows, levelled(net, demands)));
}

/** Move every run towards the mean of its neighbours, keeping all distances. */
function relax(net: Net, demands: Demands): void {
  const pulls = pullsOf(net, demands);
  const start = demands.runs.map((run) => total(run.map((v) => net.at[v])) / run.length);
  let at = demands.feasible(start);
  const share = Math.min(1, MANY / demands.runs.length);
  const [floor, ceiling] = windowOf(demands, start);
  for (let left = Math.ceil(ROUNDS * share); left > 0; left--) {
    const wish = [...start];
    pulls.forEach((pull, run) => {
      // halfway, or two that pull at each other would swap for ever
      if (pull.runs.length) wish[run] = (at[run] + mean(pull, at)) / 2;
    });
    if (share < 1) wish.forEach((w, i) => (wish[i] = Math.max(floor[i], Math.min(ceiling[i], w))));
    at = demands.feasible(wish);
  }
  const centred = pulls.map((pull, run) => operands(net, demands, run) ?? pull);
  for (let left = Math.max(2, Math.ceil(POLISH * share)) - 1; left >= 0; left--) {
    polish(demands, at, left < 4 ? centred : pulls, left < 2 ? SNAP : 0);
  }
  demands.runs.forEach((run, i) => run.forEach((vertex) => (net.at[vertex] = at[i])));
  const borders = new Map<number, [number, number]>();
  for (const cluster of demands.clusters.keys()) {
    borders.set(cluster, [at[demands.upper(cluster)], at[demands.lower(cluster)]]);
  }
  net.borders.set(net.layer[demands.rows[0][0]], borders);
}

/**
 * How high and how low each run may stand, for the drawing to be hardly higher than it must.
 *
 * Rounds only ever move apart what would overlap; few of them leave a large drawing far apart.
 */
function windowOf(demands: Demands, start: readonly number[]): [Float64Array, Float64Array] {
  const low = demands.lowest(new Float64Array(demands.size));
  const high = demands.highest(new Float64Array(demands.size));
  const height = SLACK * low.reduce((a, b) => Math.max(a, b)) + SPARE;
  const least = start.reduce((a, b) => Math.min(a, b));
  const most = start.reduce((a, b) => Math.max(a, b));
  const top = (least + most - height) / 2;
  return [low.map((x) => top + x), high.map((x) => top + height + x)];
}

/**
 * Move one run after another as near to where it is pulled as its neighbours let it.
 *
 * On the way down every border moves up as far as it can, out of the way of what follows; on the
 * way up, down.  A run within `snap` of a straight line to a neighbour is drawn straight.
 */
function polish(demands: Demands, at: number[], pulls: readonly Pull[], snap: number): void {
  const borders = demands.runs.length;
  const { topological, before, after, above, below, distance } = demands;
  for (const forth of [true, false]) {
    for (let k = 0; k < topological.length; k++) {
      const i = topological[forth ? k : topological.length - 1 - k];
      let [low, high] = [-Infinity, Infinity];
      for (const d of before[i]) low = Math.max(low, at[above[d]] + distance[d]);
      for (const d of after[i]) high = Math.min(high, at[below[d]] - distance[d]);
      if (i >= borders) at[i] = forth ? low : high;
      else if (pulls[i].runs.length) {
        const here = Math.max(low, Math.min(high, mean(pulls[i], at)));
        let nearest = Infinity;
        for (const run of pulls[i].runs) {
          const line = at[run];
          const nearer = Math.abs(line - here) < Math.abs(nearest - here);
          if (low <= line && line <= high && nearer) nearest = line;
        }
        at[i] = Math.abs(nearest - here) <= snap ? nearest : here;
      }
    }
  }
}

/** The runs of the operands of an op, in whose middle it should stand; null unless several. */
function operands(net: Net, demands: Demands, run: number): Pull | null {
  const first = demands.runs[run][0];
  const heavy = net.before[first].filter((v) => demands.run[v] >= 0 && !net.light[v]);
  return heavy.length > 1 ? pullOf(heavy.map((v) => [demands.run[v], 1])) : null;
}

/** For each run the runs it is joined to, and how strongly. */
function pullsOf(net: Net, demands: Demands): Pull[] {
  const weights = demands.runs.map(() => new Map<number, number>());
  demands.runs.forEach((run, a) => {
    for (const v of run) {
      for (const u of net.after[v]) {
        const b = demands.run[u];
        if (b < 0 || a === b) continue;
        const leaf = net.light[v] && !net.lane[v];
        weights[a].set(b, (weights[a].get(b) ?? 0) + 1);
        weights[b].set(a, (weights[b].get(a) ?? 0) + (leaf ? LEAF : 1));
      }
    }
  });
  const anchor = new Map<number, number>(); // a run of each cluster that is held by others
  demands.runs.forEach((run, a) => {
    if (!weights[a].size) return;
    for (const v of run) if (!anchor.has(net.home[v])) anchor.set(net.home[v], a);
  });
  demands.runs.forEach((run, a) => { // what nothing holds stays with its cluster
    for (const v of run) {
      const hold = anchor.get(net.home[v]);
      if (!weights[a].size && hold !== undefined) weights[a].set(hold, 1);
    }
  });
  const part = parts(weights);
  for (const row of demands.rows) {
    for (let k = 1; k < row.length; k++) { // parts that nothing joins keep together
      const [a, b] = [demands.run[row[k - 1]], demands.run[row[k]]];
      if (part[a] !== part[b]) {
        weights[a].set(b, NEXT);
        weights[b].set(a, NEXT);
      }
    }
  }
  return weights.map(pullOf);
}

function pullOf(around: Iterable<readonly [number, number]>): Pull {
  const pull: Pull = { runs: [], weights: [], total: 0 };
  for (const [run, weight] of around) {
    pull.runs.push(run);
    pull.weights.push(weight);
    pull.total += weight;
  }
  return pull;
}

/** A number for each run, the same for all that are joined, directly or by others. */
function parts(joined: readonly ReadonlyMap<number, number>[]): number[] {
  const near = joined.map((around) => [...around.keys()]);
  joined.forEach((around, a) => {
    for (const b of around.keys()) near[b].push(a);
  });
  const part = joined.map(() => -1);
  for (let start = 0; start < part.length; start++) {
    if (part[start] >= 0) continue;
    part[start] = start;
    const stack = [start];
    while (stack.length) {
      for (const b of near[stack.pop()!]) {
        if (part[b] < 0) {
          part[b] = start;
          stack.push(b);
        }
      }
    }
  }
  return part;
}

function mean({ runs, weights, total }: Pull, at: readonly number[]): number {
  let sum = 0;
  for (let k = 0; k < runs.length; k++) sum += weights[k] * at[runs[k]];
  return sum / total;
}
