/** One drawing for every pen: frames, arrows, boxes, as our static drawings have them. */

import { drawBox, type Look, RADIUS, READABLE, VISIBLE } from "./boxes";
import type { Rect } from "./layout/plan";
import { arrival, type Edges, type Ink, type Pen, type Tip } from "./pen";
import type { Line, Mark, Plate, Scene } from "./scene";
import { fit, SIZE } from "./text";

export interface View extends Edges {
  /** Pixels of the screen per px of the drawing. */
  scale: number;
  /** Of boxes on their way from an earlier place: where, and how far they have come, 0 … 1. */
  from?: Map<string, Rect>;
  come?: number;
}

/** And below this one curves are as good as straight. */
const STRAIGHT = 0.25;

/** Font size of a frame's title at most. */
const HEAD = 15;

/** All but what is pointed out, which changes only with the numbers; returns how much it was. */
export function drawBase(scene: Scene, pen: Pen, look: Look, view: View): number {
  const come = view.come ?? 1;
  const { left, top, right, bottom, scale } = view;
  for (const plate of scene.plates) {
    const { panel } = plate;
    if (
      panel.x > right ||
      panel.y > bottom ||
      panel.x + panel.width < left ||
      panel.y + panel.height < top
    )
      continue;
    drawPlate(plate, pen, look, scale, come);
  }
  const lines = [...scene.linesIn(left, top, right, bottom)];
  let things = lines.length;
  const { line } = look.theme.colours;
  const ink: Ink = { stroke: line, width: thickness(scale) };
  if (come < 1) ink.alpha = come * come;
  pen.curves(
    lines.map(({ route }) => route),
    ink,
    scale < STRAIGHT,
    view,
  );
  if (scale >= VISIBLE && come === 1)
    pen.tips(
      lines
        .map(({ route }) => tip(route))
        .filter(([x, y]) => x > left - 8 && x < right + 8 && y > top - 8 && y < bottom + 8),
      line,
    );
  const marks = come < 1 ? scene.marks.values() : scene.marksIn(left, top, right, bottom);
  for (const mark of marks) {
    const rect = come < 1 ? between(view.from!.get(mark.key), mark.rect, come) : mark.rect;
    if (
      rect.x > right ||
      rect.y > bottom ||
      rect.x + rect.width < left ||
      rect.y + rect.height < top
    )
      continue;
    drawBox(scene, mark, rect, pen, look, scale);
    things++;
  }
  return things;
}

/** What is pointed out, over all else: lines, and boxes that are selected or active. */
export function drawOverlay(
  scene: Scene,
  pen: Pen,
  look: Look,
  view: View,
  lit: Map<Line, Lit>,
  marks: Iterable<Mark | Plate>,
): void {
  const { scale } = view;
  for (const [line, kind] of lit) drawLit(line, kind, pen, look, scale);
  for (const thing of marks) {
    const rect = "rect" in thing ? thing.rect : thing.panel;
    if ("rect" in thing) drawBox(scene, thing, rect, pen, look, scale, true);
    if (!look.selected(thing)) continue;
    const away = "rect" in thing ? 4.5 : 0;
    const radius =
      scale < VISIBLE
        ? 0
        : "rect" in thing
          ? Math.min(RADIUS[thing.box.kind], rect.height / 2) + away
          : 10;
    pen.rect(rect.x - away, rect.y - away, rect.width + 2 * away, rect.height + 2 * away, radius, {
      stroke: look.theme.kind("parameter")[1],
      width: Math.max(2, 1.5 / scale),
    });
  }
}

export function draw(
  scene: Scene,
  pen: Pen,
  look: Look,
  view: View,
  lit: Map<Line, Lit>,
  marks: Iterable<Mark | Plate>,
): void {
  drawBase(scene, pen, look, view);
  drawOverlay(scene, pen, look, view, lit, marks);
}

/** How a line that is pointed out looks: that of the selected box, the one that is pointed at, a
 * gradient, the way of a nan. */
export type Lit = "near" | "here" | "flow" | "alarm";

function drawPlate(plate: Plate, pen: Pen, look: Look, scale: number, come: number): void {
  const { panel } = plate;
  const { tint } = look.theme.colours;
  const radius = scale < VISIBLE ? 0 : 10;
  pen.begin(plate.cluster.tooltip || plate.cluster.title);
  pen.rect(panel.x, panel.y, panel.width, panel.height, radius, { fill: tint, alpha: 0.07 * come });
  pen.rect(panel.x, panel.y, panel.width, panel.height, radius, {
    stroke: tint,
    width: 1 / Math.min(1, scale / VISIBLE),
    alpha: 0.4 * come,
  });
  // what is far away is written larger, as far as the frame's head has room
  const size = Math.max(SIZE.title, Math.min(HEAD, SIZE.title * (READABLE / scale)));
  const title =
    size * scale > 5
      ? fit(plate.cluster.title, "title", ((panel.width - 16) * SIZE.title) / size)
      : "";
  if (title.length > 2)
    pen.text(title, panel.titleX, panel.y + 15, "title", "start", look.theme.colours.faint, size);
  pen.end();
}

/** Lines stay visible from far away. */
function thickness(scale: number): number {
  return scale < READABLE ? Math.min(1.4 / Math.max(scale, READABLE / 2), 0.6 / scale) : 1.4;
}

function tip(route: Line["route"]): Tip {
  const [x, y] = route.steps[route.steps.length - 1].slice(-2);
  return [x, y, arrival(route)];
}

function drawLit({ route }: Line, kind: Lit, pen: Pen, look: Look, scale: number): void {
  const { colours } = look.theme;
  const accent = look.theme.kind("parameter")[1];
  const { ink: near, back: flow, alarm } = colours;
  const colour = { near, here: accent, flow, alarm }[kind];
  const width = Math.max(kind === "here" ? 3 : 2.2, thickness(scale) * 1.8);
  const ink: Ink = { stroke: colour, width };
  if (kind === "flow") {
    pen.curves([route], { stroke: colours.paper, width: 3 });
    ink.dash = [6, 5];
    ink.offset = look.moved;
  }
  pen.curves([route], ink);
  if (scale < VISIBLE) return;
  if (kind !== "flow") return pen.tips([tip(route)], colour);
  // a gradient goes from the result back to what it was computed from
  const [x, y] = route.start;
  const [nextX, nextY] = route.steps[0];
  pen.tips([[x, y, Math.atan2(y - nextY, x - nextX)]], colour);
}

function between(from: Rect | undefined, to: Rect, come: number): Rect {
  if (!from) return to;
  const mix = (a: number, b: number) => a + (b - a) * come;
  return {
    x: mix(from.x, to.x),
    y: mix(from.y, to.y),
    width: mix(from.width, to.width),
    height: mix(from.height, to.height),
  };
}
