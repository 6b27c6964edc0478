/**
 * Where to fold a drawing that is much longer than broad, as text is broken into lines.
 *
 * The port of `layout/fold.py`.  Choosing the best places is the problem of setting a paragraph
 * (Knuth and Plass, "Breaking paragraphs into lines", 1981): every row has a cost for the room it
 * leaves empty and for what its end cuts through, and the cheapest sequence of rows is found layer
 * by layer.
 */

import { bisectRight } from "../bisect";
import { GUTTER, type Course } from "./along";
import type { Net } from "./net";

const [LONG, TALL] = [2000, 3200]; // a shorter, or lower, drawing is not folded unless asked
const SLIM = 4; // nor is one that is not this many times longer than broad
const [ROW, LONGEST] = [1500, 4000]; // the length of a row lies between
const SHAPE = 1.7; // length by breadth that folding aims at
const [ARROW, LEAF, FRAMES] = [0.05, 0.6, 0.3]; // costs of cutting; that of a row all empty is 1
const TANGLE = 6; // more arrows than these are never cut

/**
 * The layers with which a new row begins; `wrap` is the length of a row, null to decide here.
 *
 * Empty where the drawing is short enough, or so interwoven that no cut would do.
 */
export function fold(net: Net, at: Course, wrap: number | null): number[] {
  const count = net.rows.length;
  const length = at.leave[count - 1];
  if (wrap === null) {
    const breadth = at.bottom[0];
    if (length < (net.down ? TALL : LONG) || length < SLIM * breadth) return [];
    wrap = Math.min(Math.max(ROW, Math.sqrt(SHAPE * length * (breadth + 3 * GUTTER))), LONGEST);
  }
  const loose = net.paths.some( // without lanes, so not to be led around a fold
    (path) => net.layer[path[path.length - 1]] - net.layer[path[0]] + 1 > path.length,
  );
  if (length <= wrap || loose) return [];
  const cut = [0];
  for (const row of net.rows.slice(0, -1)) {
    let [arrows, leaves] = [0, 0];
    for (const v of row) {
      arrows += net.after[v].length;
      leaves += Number(net.after[v].length > 0 && !net.before[v].length);
    }
    cut.push(arrows > TANGLE ? Infinity : ARROW * arrows + LEAF * leaves);
  }
  const frames = net.rows.map(() => 0);
  for (let c = 1; c < net.parent.length; c++) {
    for (let layer = net.first[c] + 1; layer <= net.last[c]; layer++) frames[layer] += 1;
  }
  frames.forEach((frame, layer) => (cut[layer] += FRAMES * frame ** 2));
  cut.push(0);

  const cost = new Array<number>(count).fill(Infinity); // of the layers from each one on, …
  cost.push(0);
  const following = new Array<number>(count).fill(count); // … if a row begins with it
  for (let begin = count - 1; begin >= 0; begin--) {
    const origin = at.enter[begin];
    const longest = Math.max(bisectRight(at.leave, origin + wrap), begin + 1);
    for (let end = begin + 1; end <= longest; end++) {
      const empty = end < count ? 1 - (at.leave[end - 1] - origin) / wrap : 0;
      const sum = empty * empty + cut[end] + cost[end];
      if (sum < cost[begin]) [cost[begin], following[begin]] = [sum, end];
    }
  }
  const cuts = [];
  for (let layer = following[0]; layer < count; layer = following[layer]) cuts.push(layer);
  return cost[0] < Infinity ? cuts : [];
}
