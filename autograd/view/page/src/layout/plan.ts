/** What a layout is: coordinates of boxes, frames and lines, in px, y growing downwards. */

export type Point = [number, number];
export type Step = number[];

/** A rectangle by its top left corner. */
export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The frame of a cluster; its title begins at `titleX`, out of the way of arrows. */
export interface Panel extends Rect {
  titleX: number;
}

/**
 * The line of an arrow, from the border of its tail to the border of its head.
 *
 * Each of `steps` leads on from where the one before ended: [x, y] is a straight line to there,
 * [x1, y1, x2, y2, x, y] a cubic Bézier curve with two control points.  `label` is the middle of
 * the left end of the label's text.
 */
export interface Route {
  start: Point;
  steps: Step[];
  label: Point | null;
}

/**
 * All coordinates of a drawing that reaches from (0, 0) to (width, height).
 *
 * `boxes`, `layers` and `clusters` go by key, `routes` are in the order of the picture's arrows.
 * A cluster that a folded drawing cuts has one panel per row; a cluster without boxes has none.
 */
export interface Layout {
  width: number;
  height: number;
  boxes: Map<string, Rect>;
  layers: Map<string, number>;
  routes: Route[];
  clusters: Map<string, Panel[]>;
}
