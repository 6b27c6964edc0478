/**
 * Fifth step: the lines of the arrows and the frames of the clusters, from all coordinates.
 *
 * The port of `layout/trace.py`.
 */

import { hundredths } from "../arithmetic";
import type { Picture } from "../picture";
import { type Course, FOLD, GUTTER, TRACK } from "./along";
import { FRAME } from "./demands";
import { Line } from "./line";
import type { Net } from "./net";
import type { Layout, Panel, Point, Rect, Route, Step } from "./plan";

/** A rectangle: along from and to, across from and to. */
type Span = [number, number, number, number];

const [PARALLEL, MOST] = [8, 16]; // between arrows that join the same two boxes, and all of them
const LOOP = 20;
const INDENT = 10; // from a frame to its title

/** The line of an arrow along `path`, moved `aside` across where it has parallels. */
function line(net: Net, at: Course, path: readonly number[], aside: number): Line {
  if (path.length === 1) return loop(net, at, path[0]);
  const [tail, head] = [path[0], path[path.length - 1]];
  const [first, last] = [net.layer[tail], net.layer[head]];
  const across = (vertex: number) => net.at[vertex] + at.shift[at.row[net.layer[vertex]]] + aside;

  let centre = (at.start[first] + at.end[first]) / 2;
  const drawn = new Line([centre + net.along[tail] / 2, across(tail)]);
  if (net.label[tail]) {
    const [x, y] = drawn.start;
    drawn.label = net.down ? [x + 9, y + 6] : [x + 5, y - 8];
  }
  for (let k = 1; k < path.length; k++) {
    const [a, b] = [path[k - 1], path[k]];
    const [i, j] = [net.layer[a], net.layer[b]];
    const together = at.row[i] === at.row[j];
    if (together && net.at[a] === net.at[b]) continue; // straight on
    drawn.straight(at.leave[i], across(a));
    if (together) drawn.bend(at.enter[j], across(b));
    else aroundFold(net, at, drawn, a, b, aside);
    drawn.straight(at.start[j], across(b));
    if (b !== head) drawn.straight(at.end[j], across(b));
  }
  centre = (at.start[last] + at.end[last]) / 2;
  drawn.straight(centre - net.along[head] / 2, across(head));
  return drawn;
}

/**
 * From the end of one row to the beginning of the next, beside all other arrows that do so.
 *
 * What leaves highest turns last and farthest out, so the arrows nest and never cross.
 */
function aroundFold(net: Net, at: Course, drawn: Line, a: number, b: number, aside: number): void {
  const [i, j] = [net.layer[a], net.layer[b]];
  const [row, following] = [at.row[i], at.row[j]];
  const fellows = net.rows[i].flatMap((v) => net.after[v].map((u) => [v, u]));
  fellows.sort(
    ([v, u], [w, x]) => net.at[v] - net.at[w] || net.at[u] - net.at[x] || v - w || u - x,
  );
  const place = fellows.findIndex(([v, u]) => v === a && u === b);
  const outer = TRACK * (fellows.length - 1 - place) - aside;
  const right = at.extent[row][1] + FOLD + outer;
  const gutter = at.bottom[row] + GUTTER + outer;
  const left = at.extent[following][0] - FOLD - TRACK * place - aside;
  const out = net.at[a] + at.shift[row] + aside;
  const entry = net.at[b] + at.shift[following] + aside;
  const descent: Point[] = [[right, out], [right, gutter], [left, gutter], [left, entry]];
  drawn.corners([...descent, [at.enter[j], entry]]);
}

/** An arrow from a box to itself, over its side. */
function loop(net: Net, at: Course, box: number): Line {
  const layer = net.layer[box];
  const x = (at.start[layer] + at.end[layer]) / 2;
  const y = net.at[box] + at.shift[at.row[layer]] - net.solid[box] / 2;
  const top = y - LOOP;
  return new Line([x + 7, y], [[x + 16, top, x - 16, top, x - 7, y]]);
}

/** For each cluster its frame, or one piece for each row of a folded drawing. */
function frames(net: Net, at: Course): Span[][] {
  return net.parent.map((_, cluster) => {
    const found: Span[] = [];
    if (!cluster || net.last[cluster] < 0) return found;
    const inner = FRAME * (net.depth[cluster] - 1); // how far inside the outermost piece of a cut
    const begin = at.start[net.first[cluster]] - at.inset[cluster];
    const end = at.end[net.last[cluster]] + at.outset[cluster];
    const [first, last] = [at.row[net.first[cluster]], at.row[net.last[cluster]]];
    for (let row = first; row <= last; row++) {
      const [top, low] = at.breadths[row].get(cluster)!;
      found.push([
        row === first ? begin : at.extent[row][0] + inner,
        row === last ? end : at.extent[row][1] - inner,
        top + at.shift[row],
        low + at.shift[row],
      ]);
    }
    return found;
  });
}

/** How far each arrow is moved aside, so that `x * x` shows two arrows. */
function parallels(net: Net): number[] {
  const groups = new Map<number, number[]>();
  net.paths.forEach((path, i) => {
    const ends = path[0] * net.boxes + path[path.length - 1];
    const group = groups.get(ends);
    if (group) group.push(i);
    else groups.set(ends, [i]);
  });
  const aside = net.paths.map(() => 0);
  for (const group of groups.values()) {
    const apart = Math.min(PARALLEL, MOST / Math.max(1, group.length - 1));
    group.forEach((i, place) => (aside[i] = (place - (group.length - 1) / 2) * apart));
  }
  return aside;
}

/**
 * Where a title begins that stands across the flow: beside the arrows that come in, if it can.
 *
 * It goes to the left, or else into the first gap that is wide enough.
 */
function titleX(net: Net, at: Course, cluster: number, piece: number, panel: Span): number {
  const row = at.row[net.first[cluster]] + piece;
  const first = Math.max(net.first[cluster], at.begins[row]);
  const [, , left, right] = panel;
  const entered = net.rows[first].filter((v) => net.before[v].length);
  const lines = entered.map((v) => net.at[v] + at.shift[row]);
  const inside = lines.filter((x) => left < x && x < right).sort((x, y) => x - y);
  const stops = [left, ...inside, right];
  for (let k = 1; k < stops.length; k++) {
    if (stops[k] - stops[k - 1] >= net.titles[cluster]) return stops[k - 1] + INDENT;
  }
  return left + INDENT;
}

/** The finished layout: along and across become x and y, the drawing's corner (0, 0). */
export function trace(picture: Picture, net: Net, at: Course): Layout {
  const spans = picture.boxes.map((_, box): Span => {
    const layer = net.layer[box];
    const [middle, half] = [(at.start[layer] + at.end[layer]) / 2, net.along[box] / 2];
    const [centre, solid] = [net.at[box] + at.shift[at.row[layer]], net.solid[box] / 2];
    return [middle - half, middle + half, centre - solid, centre + solid];
  });
  const asides = parallels(net);
  const lines = net.paths.map((path, i) => {
    const drawn = line(net, at, path, asides[i]);
    if (net.turned[i]) drawn.reverse();
    return drawn;
  });
  const panels = frames(net, at);

  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  const reach = (along: number, across: number) => {
    left = Math.min(left, along);
    right = Math.max(right, along);
    top = Math.min(top, across);
    bottom = Math.max(bottom, across);
  };
  for (const [a, b, c, d] of [...spans, ...panels.flat()]) {
    reach(a, c);
    reach(b, d);
  }
  for (const { steps } of lines) {
    for (const step of steps) for (let k = 0; k < step.length; k += 2) reach(step[k], step[k + 1]);
  }

  const point = (along: number, across: number): Point => {
    const [a, c] = [hundredths(along - left), hundredths(across - top)];
    return net.down ? [c, a] : [a, c];
  };
  const moved = (numbers: Step): Step => {
    for (let k = 0; k < numbers.length; k += 2) {
      [numbers[k], numbers[k + 1]] = point(numbers[k], numbers[k + 1]);
    }
    return numbers;
  };
  const rect = ([a, b, c, d]: Span): Rect => {
    const [[x, y], [right, bottom]] = [point(a, c), point(b, d)];
    return { x, y, width: right - x, height: bottom - y };
  };
  const panel = (cluster: number, piece: number, span: Span): Panel => {
    const shape = rect(span);
    const x = net.down ? titleX(net, at, cluster, piece, span) - top : shape.x + INDENT;
    return { ...shape, titleX: x };
  };

  const routes = lines.map((drawn, i): Route => {
    const label = drawn.label && picture.arrows[i].label ? point(...drawn.label) : null;
    return { start: point(...drawn.start), steps: drawn.steps.map(moved), label };
  });
  const [width, height] = point(right, bottom);
  return {
    width,
    height,
    boxes: new Map(picture.boxes.map((box, i) => [box.key, rect(spans[i])])),
    layers: new Map(picture.boxes.map((box, i) => [box.key, net.layer[i]])),
    routes,
    clusters: new Map(
      picture.clusters.map(({ key }, i) => [
        key,
        panels[i + 1].map((span, piece) => panel(i + 1, piece, span)),
      ]),
    ),
  };
}
