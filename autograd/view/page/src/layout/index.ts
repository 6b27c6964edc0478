/**
 * Where everything goes: a layered layout in the manner of Sugiyama.
 *
 * The port of `autograd/view/layout`, file by file and name by name, so that a drawing in a
 * notebook and the same drawing on the page agree; `tests/view/test_layout_ports.py` compares the
 * two.  Five steps: `ranks` deals the boxes out to layers, `order` sorts the layers, `place` finds
 * coordinates across the flow and `along` those along it, `trace` draws lines and frames.
 */

import type { Picture } from "../picture";
import { course } from "./along";
import { fold } from "./fold";
import { build } from "./net";
import { order } from "./order";
import { assemble, type Part, split } from "./parts";
import { place } from "./place";
import type { Layout } from "./plan";
import { trunks } from "./runs";
import { trace } from "./trace";

export type { Layout, Panel, Point, Rect, Route, Step } from "./plan";

/**
 * Lay out `picture`.
 *
 * A drawing longer than `wrap` px along its flow goes on in a new row, as text does in a new line,
 * wherever few arrows are in the way.  null folds only what is very long and slim; `Infinity`
 * never folds.
 */
export function layout(picture: Picture, wrap: number | null = null): Layout {
  const parts = split(picture).map(
    ([part, places]): Part<Layout> => [layoutPart(part, wrap), places],
  );
  return assemble(picture, parts);
}

function layoutPart(picture: Picture, wrap: number | null): Layout {
  if (!picture.boxes.length) {
    const clusters = new Map(picture.clusters.map(({ key }) => [key, []]));
    return { width: 0, height: 0, boxes: new Map(), layers: new Map(), routes: [], clusters };
  }
  const net = build(picture);
  order(net);
  const straight = trunks(net);
  place(net, straight, 0, net.rows.length);
  let at = course(net);
  const cuts = fold(net, at, wrap);
  if (cuts.length) { // every row is placed anew, free from what the others need
    [0, ...cuts].forEach((begin, row) => place(net, straight, begin, cuts[row] ?? net.rows.length));
    at = course(net, cuts);
  }
  return trace(picture, net, at);
}
