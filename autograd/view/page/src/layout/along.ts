/**
 * Fourth step: coordinates along the flow.
 *
 * The port of `layout/along.py`.  From one layer to the next lie, in this order: the layer's boxes,
 * the labels of their arrows, the frames that end here, a channel in which arrows change their
 * position, and the frames that begin.  Arrows bend in channels only; everywhere else they run
 * straight, each in a place of its own, so no arrow touches a box that it does not belong to.
 *
 * A drawing may be folded into rows (see `fold`): then each row begins at 0, below the one before.
 */

import { total } from "../arithmetic";
import { FRAME, TITLE } from "./demands";
import type { Net } from "./net";
import { type Breadths, breadths } from "./panels";

const CHANNEL = 28; // the least width of a channel
const STEEP = 0.13; // a channel widens by so much of the farthest jump across it …
const STEEPEST = 56; // … up to this

export const TRACK = 9; // between the arrows that are led around a fold
export const FOLD = 20; // from the last frame or box to the first of them
export const GUTTER = 18; // from the lowest thing of a row to the first of them

/** Where each layer stands.  Across positions in `Net.at` are still to be moved by `shift`. */
export interface Course {
  start: number[]; // the layer's boxes, along the flow
  end: number[];
  enter: number[]; // the channel before ends here
  leave: number[]; // the channel behind begins here
  inset: number[]; // from a cluster's first layer back to its frame
  outset: number[]; // from a cluster's last layer on to its frame
  row: number[]; // in which row of a folded drawing it is
  begins: number[]; // the first layer of each row
  shift: number[]; // of each row, across
  extent: [number, number][]; // each row's along: from, to
  breadths: Breadths; // before the shift
  bottom: number[]; // each row's lowest thing, after the shift
}

/** Place the layers along the flow; with each of the layers `cuts` begins a new row. */
export function course(net: Net, cuts: readonly number[] = []): Course {
  const inset = standoff(net, net.first, net.down ? TITLE : 0);
  const outset = standoff(net, net.last, 0);
  const leadIn = net.rows.map(() => 0);
  const leadOut = net.rows.map(() => 0);
  for (let c = 1; c < net.parent.length; c++) {
    const [first, last] = [net.first[c], net.last[c]];
    if (last < 0) continue;
    leadIn[first] = Math.max(leadIn[first], inset[c]);
    leadOut[last] = Math.max(leadOut[last], outset[c]);
  }
  const sizes = net.rows.map((row) => most(row, net.along));
  const tails = net.rows.map((row) => most(row, net.label));
  const channels = net.rows.map((row) => channel(net, row));
  if (!net.down) {
    const between = tails
      .slice(0, -1)
      .map((tail, i) => tail + leadOut[i] + channels[i] + leadIn[i + 1]);
    makeRoomForTitles(net, sizes, between, inset, outset);
  }

  const at: Course = {
    start: [], end: [], enter: [], leave: [], inset, outset,
    row: [], begins: [], shift: [], extent: [], breadths: [], bottom: [],
  };
  const breaks = new Set(cuts);
  let here = 0;
  for (let i = 0; i < net.rows.length; i++) {
    if (breaks.has(i)) here = 0;
    at.enter.push(here);
    at.start.push(here + leadIn[i]);
    at.end.push(at.start[i] + sizes[i]);
    at.leave.push(at.end[i] + tails[i] + leadOut[i]);
    here = at.leave[i] + channels[i];
  }
  stack(net, at, cuts);
  return at;
}

function most(row: readonly number[], sizes: readonly number[]): number {
  let greatest = -Infinity;
  for (const v of row) greatest = Math.max(greatest, sizes[v]);
  return greatest;
}

/** How far each cluster's frame stands off its outermost layer on one `side`. */
function standoff(net: Net, side: readonly number[], title: number): number[] {
  const deep = net.parent.map(() => 0);
  for (const c of net.insideOut) {
    const parent = net.parent[c];
    deep[c] += FRAME + (net.titles[c] ? title : 0); // the innermost are done first
    if (side[parent] === side[c]) deep[parent] = Math.max(deep[parent], deep[c]);
  }
  return deep;
}

function channel(net: Net, row: readonly number[]): number {
  let jump = 0;
  for (const v of row) {
    for (const u of net.after[v]) jump = Math.max(jump, Math.abs(net.at[u] - net.at[v]));
  }
  return CHANNEL + Math.min(STEEPEST, STEEP * jump);
}

/** Widen the last layer of each cluster that is shorter than its title. */
function makeRoomForTitles(
  net: Net,
  sizes: number[],
  between: readonly number[],
  inset: readonly number[],
  outset: readonly number[],
): void {
  for (const c of net.insideOut) {
    const [first, last, title] = [net.first[c], net.last[c], net.titles[c]];
    if (last < 0 || !title) continue;
    const boxes = total(sizes.slice(first, last + 1));
    const channels = total(between.slice(first, last));
    sizes[last] += Math.max(0, title - (inset[c] + boxes + channels + outset[c]));
  }
}

/** Put the rows below each other, with room between them for the arrows that lead around. */
function stack(net: Net, at: Course, cuts: readonly number[]): void {
  at.begins = [0, ...cuts];
  at.breadths = breadths(net, at.begins);
  let down = 0;
  at.begins.forEach((begin, row) => {
    const end = at.begins[row + 1] ?? net.rows.length;
    if (row) {
      let arrows = 0;
      for (const v of net.rows[begin - 1]) arrows += net.after[v].length;
      down += 2 * GUTTER + TRACK * arrows;
    }
    const inner = [begin, end].map((cut) => { // how many frames inside each other are cut there
      let deepest = 0;
      for (let c = 1; c < net.parent.length; c++) {
        if (net.first[c] < cut && cut <= net.last[c]) deepest = Math.max(deepest, net.depth[c]);
      }
      return deepest;
    });
    const [top, low] = at.breadths[row].get(0)!;
    for (let layer = begin; layer < end; layer++) at.row.push(row);
    at.shift.push(down - top);
    down += low - top;
    at.bottom.push(down);
    at.extent.push([-FRAME * inner[0], at.leave[end - 1] + FRAME * inner[1]]);
  });
}
