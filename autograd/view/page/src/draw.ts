/** One drawing for every pen: frames, arrows, boxes, as our static drawings have them. */

import type { Tone } from "./colour";
import { WIDEST } from "./numbers";
import { arrival, type Ink, type Pen, type Tip } from "./pen";
import type { Rect } from "./layout/plan";
import type { Line, Mark, Plate, Scene } from "./scene";
import { fit, SIZE } from "./text";
import type { Theme } from "./theme";

/** How things look now: the numbers, the colours and what is pointed out. */
export interface Look {
  theme: Theme;
  tone(mark: Mark): Tone;
  data(mark: Mark): string;
  grad(mark: Mark): string;
  /** The operation that made a number which is not finite. */
  culprit(mark: Mark): boolean;
  /** What nothing is known of yet. */
  pale(mark: Mark): boolean;
  /** The operation that is happening. */
  active(mark: Mark): boolean;
  selected(mark: Mark | Plate): boolean;
  told(mark: Mark): string;
  /** How far the dashes of what flows have moved, in px. */
  moved: number;
}

export interface View {
  left: number;
  top: number;
  right: number;
  bottom: number;
  /** Pixels of the screen per px of the drawing. */
  scale: number;
  /** Of boxes on their way from an earlier place: where, and how far they have come, 0 … 1. */
  from?: Map<string, Rect>;
  come?: number;
}

const RADIUS: { [kind: string]: number } = {
  value: 8, parameter: 4, input: 16, output: 8, constant: 8, op: Infinity,
};
/** Below this scale text is too small to be read. */
const READABLE = 0.42;
/** Below this one corners and tips are too small to be seen. */
const VISIBLE = 0.2;
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
    if (panel.x > right || panel.y > bottom || panel.x + panel.width < left || panel.y + panel.height < top) continue;
    drawPlate(plate, pen, look, scale, come);
  }
  const lines = [...scene.linesIn(left, top, right, bottom)];
  let things = lines.length;
  const { line } = look.theme.colours;
  const ink: Ink = { stroke: line, width: thickness(scale) };
  if (come < 1) ink.alpha = come * come;
  pen.curves(lines.map(({ route }) => route), ink, scale < STRAIGHT);
  if (scale >= VISIBLE && come === 1) pen.tips(lines.map(({ route }) => tip(route)), line);
  const marks = come < 1 ? scene.marks.values() : scene.marksIn(left, top, right, bottom);
  for (const mark of marks) {
    const rect = come < 1 ? between(view.from!.get(mark.key), mark.rect, come) : mark.rect;
    if (rect.x > right || rect.y > bottom || rect.x + rect.width < left || rect.y + rect.height < top) continue;
    drawBox(scene, mark, rect, pen, look, scale);
    things++;
  }
  return things;
}

/** What is pointed out, over all else: lines, and boxes that are selected or active. */
export function drawOverlay(scene: Scene, pen: Pen, look: Look, view: View, lit: Map<Line, Lit>, marks: Iterable<Mark | Plate>): void {
  const { scale } = view;
  for (const [line, kind] of lit) drawLit(line, kind, pen, look, scale);
  for (const thing of marks) {
    const rect = "rect" in thing ? thing.rect : thing.panel;
    if ("rect" in thing) drawBox(scene, thing, rect, pen, look, scale, true);
    if (!look.selected(thing)) continue;
    const away = "rect" in thing ? 4.5 : 0;
    const radius = scale < VISIBLE ? 0 : "rect" in thing ? Math.min(RADIUS[thing.box.kind], rect.height / 2) + away : 10;
    pen.rect(rect.x - away, rect.y - away, rect.width + 2 * away, rect.height + 2 * away, radius, {
      stroke: look.theme.kind("parameter")[1], width: Math.max(2, 1.5 / scale),
    });
  }
}

export function draw(scene: Scene, pen: Pen, look: Look, view: View, lit: Map<Line, Lit>, marks: Iterable<Mark | Plate>): void {
  drawBase(scene, pen, look, view);
  drawOverlay(scene, pen, look, view, lit, marks);
}

/** How a line that is pointed out looks: that of the selected box, a gradient, the way of a nan. */
export type Lit = "near" | "flow" | "alarm";

function drawPlate(plate: Plate, pen: Pen, look: Look, scale: number, come: number): void {
  const { panel } = plate;
  const { tint } = look.theme.colours;
  const radius = scale < VISIBLE ? 0 : 10;
  pen.begin(plate.cluster.tooltip || plate.cluster.title);
  pen.rect(panel.x, panel.y, panel.width, panel.height, radius, { fill: tint, alpha: 0.07 * come });
  pen.rect(panel.x, panel.y, panel.width, panel.height, radius, {
    stroke: tint, width: 1 / Math.min(1, scale / VISIBLE), alpha: 0.4 * come,
  });
  // what is far away is written larger, as far as the frame's head has room
  const size = Math.max(SIZE.title, Math.min(HEAD, SIZE.title * (READABLE / scale)));
  const title = size * scale > 5 ? fit(plate.cluster.title, "title", ((panel.width - 16) * SIZE.title) / size) : "";
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
  const colour = kind === "flow" ? colours.back : kind === "alarm" ? colours.alarm : colours.ink;
  const ink: Ink = { stroke: colour, width: Math.max(2.2, thickness(scale) * 1.8) };
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

function drawBox(scene: Scene, mark: Mark, rect: Rect, pen: Pen, look: Look, scale: number, over = false): void {
  const active = over && look.active(mark);
  if (scale < READABLE || rect.width < 0.8 * mark.rect.width) drawSmall(mark, rect, pen, look, scale, active);
  else drawMark(scene, mark, rect, pen, look, active);
}

/** What a tone looks like around a box. */
function ring(tone: Tone, look: Look): Ink | undefined {
  const { colours, heat } = look.theme;
  if (tone.kind === "hot") return { stroke: heat[tone.heat], width: 3.5 };
  if (tone.kind === "partial") return { stroke: heat[tone.heat], width: 3.5, dash: [9, 6] };
  if (tone.kind === "still") return { stroke: colours.faint, width: 2.5, dash: [1, 4], cap: "round" };
  if (tone.kind === "broken") return { stroke: colours.alarm, width: 4, dash: [7, 3] };
  return undefined;
}

function border(mark: Mark, look: Look): Ink {
  const kind = mark.box.kind;
  const [fill, stroke] = look.theme.kind(kind);
  const { colours } = look.theme;
  if (mark.role === "group") return { fill: colours.paper, stroke: colours.tint, width: 1.25 };
  const ink: Ink = { fill, stroke, width: kind === "output" ? 2.25 : 1.25 };
  if (kind === "constant") ink.dash = [4, 3];
  return ink;
}

function drawSmall(mark: Mark, rect: Rect, pen: Pen, look: Look, scale: number, active: boolean): void {
  const ink = border(mark, look);
  const radius = scale < VISIBLE ? 0 : (RADIUS[mark.box.kind] ?? 8);
  const worth = mark.role === "op" ? undefined : ring(look.tone(mark), look);
  const pale = look.pale(mark);
  const around: Ink = worth
    ? { fill: ink.fill, stroke: worth.stroke, width: Math.min(3.5 * Math.max(1, 0.35 / scale), rect.height / 3) }
    : { fill: ink.fill, stroke: ink.stroke, width: ink.width };
  if (active) Object.assign(around, mark.role === "group" ? { stroke: look.theme.colours.back } : { fill: look.theme.colours.back, stroke: look.theme.colours.back });
  if (pale) around.alpha = 0.35;
  pen.rect(rect.x, rect.y, rect.width, rect.height, radius, around);
  if (mark.role === "group") {
    pen.rect(rect.x, rect.y, rect.width, rect.height, radius, { fill: look.theme.colours.tint, alpha: 0.12 });
    const title = mark.item.title.split(": ").pop()!;
    const size = Math.min(rect.height * 0.42, 11 / scale, (rect.width - 8) / Math.max(1, title.length) / 0.58);
    if (size * scale > 4.5)
      pen.text(title, rect.x + rect.width / 2, rect.y + rect.height / 2, "title", "middle", look.theme.colours.ink, size);
  }
}

function drawMark(scene: Scene, mark: Mark, rect: Rect, pen: Pen, look: Look, active: boolean): void {
  const { theme } = look;
  const set = scene.frame(mark);
  const { x, y, width, height } = rect;
  const radius = Math.min(RADIUS[mark.box.kind], height / 2);
  const base = border(mark, look);
  const pale = look.pale(mark);
  pen.begin(look.told(mark));
  if (active)
    pen.rect(x - 5, y - 5, width + 10, height + 10, radius + 5, { fill: theme.colours.back, alpha: 0.28 });
  if (mark.role === "group")
    pen.rect(x + 4, y + 4, width, height, radius, { ...base, alpha: 0.55 });
  if (mark.role === "op" && look.culprit(mark)) base.fill = base.stroke = theme.colours.alarm;
  if (active && mark.role === "op") base.fill = base.stroke = theme.colours.back;
  const worth = mark.role === "op" ? undefined : ring(look.tone(mark), look);
  if (worth?.dash) pen.rect(x, y, width, height, radius, { fill: base.fill });
  if (pale) pen.rect(x, y, width, height, radius, { fill: theme.colours.paper, stroke: theme.colours.rule, width: 1.25, dash: base.dash });
  else pen.rect(x, y, width, height, radius, { ...base, ...worth });
  if (mark.role === "group")
    pen.rect(x, y, width, height, radius, { fill: theme.colours.tint, alpha: 0.1 });
  if (set.rules.length)
    pen.curves(
      set.rules.map(([x1, y1, x2, y2]) => ({ start: [x + x1, y + y1], steps: [[x + x2, y + y2]] })),
      { stroke: theme.colours.rule, width: 1 },
    );
  let word = "";
  const [, , name] = theme.kind(mark.box.kind);
  for (const span of set.spans) {
    let { text } = span;
    let colour = span.role === "name" ? name : span.role === "number" ? theme.colours.ink : theme.colours.faint;
    if (pale) colour = theme.colours.faint;
    else if (mark.role === "op") colour = active ? theme.colours.paper : name;
    if (text === WIDEST) text = /grad/.test(word) ? look.grad(mark) : look.data(mark);
    if (span.role === "number" && /nan|∞/.test(text)) colour = theme.colours.alarm;
    if (span.role === "word") word = span.text;
    pen.text(text, x + span.x, y + span.y, span.role, span.anchor, colour);
  }
  pen.end();
}

function between(from: Rect | undefined, to: Rect, come: number): Rect {
  if (!from) return to;
  const mix = (a: number, b: number) => a + (b - a) * come;
  return {
    x: mix(from.x, to.x), y: mix(from.y, to.y),
    width: mix(from.width, to.width), height: mix(from.height, to.height),
  };
}
