/**
 * Straight lines that make a drawing much higher than it must be, and where to bend them.
 *
 * The port of `layout/stairs.py`.  Every run alone may be straight, and yet each force the next to
 * stand lower, layer after layer, as the steps of a stair do.  With every line bent at every layer
 * there are no stairs: that drawing tells how far down each vertex may stand so that everything
 * below it still fits.  One walk down the drawing then cuts a run wherever it would have to stand
 * lower in one layer than it may in another.
 */

import { Demands } from "./demands";
import type { Net } from "./net";

const [SLACK, SPARE] = [1.6, 400]; // how much higher than it must be a drawing may be
const SHARE = 0.25; // of that, how much a single line may use up

/** The runs of `demands`, cut where the drawing would get too high; linear in its size. */
export function levelled(net: Net, demands: Demands): readonly (readonly number[])[] {
  const { rows, runs } = demands;
  const fullest = rows.reduce((most, row) => Math.max(most, height(net, row)), 0);
  const reached = demands.lowest(new Float64Array(demands.size));
  if (reached.reduce((a, b) => Math.max(a, b)) <= SLACK * fullest + SPARE) return runs;

  const bent = new Demands(net, rows, runs.flatMap((run) => run.map((vertex) => [vertex])));
  const above = bent.highest(new Float64Array(bent.size)); // how high each stands above the lowest
  const highest = above.reduce((a, b) => Math.min(a, b));
  const limit = -SLACK * highest + SPARE;
  const most = SHARE * (limit + highest); // that a line may push any vertex of its own down
  const low = new Float64Array(bent.size);
  const pieces: number[][][] = runs.map(() => []);
  for (const item of demands.topological) {
    if (item >= runs.length) { // the border of a frame
      const border = item - runs.length + bent.runs.length;
      low[border] = lowest(bent, low, border);
      continue;
    }
    let piece: number[] = [];
    let [deep, deepest] = [0, 0]; // where the piece must stand, and where it may at most
    for (const vertex of runs[item]) {
      const variable = bent.run[vertex];
      const must = lowest(bent, low, variable);
      const may = Math.min(limit + above[variable], must + most);
      if (piece.length && Math.max(deep, must) <= Math.min(deepest, may)) {
        [deep, deepest] = [Math.max(deep, must), Math.min(deepest, may)];
      } else {
        [piece, deep, deepest] = [[], must, may];
        pieces[item].push(piece);
      }
      piece.push(vertex);
      low[variable] = deep;
    }
    for (const piece of pieces[item]) { // as low as the lowest of its members
      for (const vertex of piece) low[bent.run[vertex]] = low[bent.run[piece[piece.length - 1]]];
    }
  }
  return pieces.flat();
}

function lowest(bent: Demands, low: Float64Array, variable: number): number {
  let reached = 0;
  for (const i of bent.before[variable])
    reached = Math.max(reached, low[bent.above[i]] + bent.distance[i]);
  return reached;
}

function height(net: Net, row: readonly number[]): number {
  let sum = 0;
  for (let i = 1; i < row.length; i++) sum += net.gap(row[i - 1], row[i]);
  return sum;
}
