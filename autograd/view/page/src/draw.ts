/** One drawing for every pen: frames, arrows, boxes, as our static drawings have them. */

import type { Tone } from "./colour";
import { WIDEST } from "./numbers";
import { arrival, type Ink, type Pen } from "./pen";
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
  /** What nothing is known of yet. */
  pale(mark: Mark): boolean;
  /** The operation that is happening. */
  active(mark: Mark): boolean;
  selected(mark: Mark | Plate): boolean;
  told(mark: Mark): string;
  line(line: Line): "plain" | "near" | "flow" | "alarm";
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

export function draw(scene: Scene, pen: Pen, look: Look, view: View): void {
  const come = view.come ?? 1;
  const { left, top, right, bottom, scale } = view;
  for (const plate of scene.plates) {
    const { panel } = plate;
    if (panel.x > right || panel.y > bottom || panel.x + panel.width < left || panel.y + panel.height < top) continue;
    drawPlate(plate, pen, look, scale, come);
  }
  const lit: Line[] = [];
  for (const line of scene.linesIn(left, top, right, bottom)) {
    if (look.line(line) === "plain") drawLine(line, pen, look, scale, come);
    else lit.push(line);
  }
  for (const line of lit) drawLine(line, pen, look, scale, come);
  const marks = come < 1 ? scene.marks.values() : scene.marksIn(left, top, right, bottom);
  for (const mark of marks) {
    const rect = come < 1 ? between(view.from!.get(mark.key), mark.rect, come) : mark.rect;
    if (rect.x > right || rect.y > bottom || rect.x + rect.width < left || rect.y + rect.height < top) continue;
    if (scale < READABLE) drawSmall(mark, rect, pen, look, scale);
    else drawMark(scene, mark, rect, pen, look);
  }
}

function drawPlate(plate: Plate, pen: Pen, look: Look, scale: number, come: number): void {
  const { panel } = plate;
  const { tint } = look.theme.colours;
  const radius = scale < VISIBLE ? 0 : 10;
  pen.begin(plate.cluster.tooltip || plate.cluster.title);
  pen.rect(panel.x, panel.y, panel.width, panel.height, radius, { fill: tint, alpha: 0.07 * come });
  const chosen = look.selected(plate);
  pen.rect(panel.x, panel.y, panel.width, panel.height, radius, {
    stroke: chosen ? look.theme.kind("parameter")[1] : tint,
    width: (chosen ? 2 : 1) / Math.min(1, scale / VISIBLE),
    alpha: chosen ? 1 : 0.4 * come,
  });
  const size = SIZE.title * Math.max(1, Math.min(READABLE / scale, 4));
  const shrink = SIZE.title / size;
  if (panel.width * scale > 50 && size < panel.height / 3) {
    const title = fit(plate.cluster.title, "title", (panel.width - 16) * shrink);
    if (title.length > 2) pen.text(title, panel.titleX, panel.y + 15 / shrink, "title", "start", look.theme.colours.faint, size);
  }
  pen.end();
}

function drawLine(line: Line, pen: Pen, look: Look, scale: number, come: number): void {
  const { colours } = look.theme;
  const kind = look.line(line);
  const thin = Math.min(1, Math.max(scale / READABLE, 0.35)) * (1 / Math.max(scale, 0.02)) ;
  const width = scale < READABLE ? thin : 1.4;
  const colour = kind === "flow" ? colours.back : kind === "alarm" ? colours.alarm : kind === "near" ? colours.ink : colours.line;
  const ink: Ink = { stroke: colour, width: kind === "plain" ? width : Math.max(2.2, width * 1.6) };
  if (come < 1) ink.alpha = come * come;
  if (kind === "flow") {
    ink.dash = [6, 5];
    ink.offset = look.moved;
  }
  pen.curve(line.route, ink);
  if (scale < VISIBLE || come < 1) return;
  if (kind === "flow") {
    // a gradient goes from the result back to what it was computed from
    const [x, y] = line.route.start;
    const [first] = line.route.steps;
    const [nextX, nextY] = first;
    pen.tip(x, y, Math.atan2(y - nextY, x - nextX), colour);
    return;
  }
  const [x, y] = line.route.steps.at(-1)!.slice(-2);
  pen.tip(x, y, arrival(line.route), colour);
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

function drawSmall(mark: Mark, rect: Rect, pen: Pen, look: Look, scale: number): void {
  const ink = border(mark, look);
  const radius = scale < VISIBLE ? 0 : (RADIUS[mark.box.kind] ?? 8);
  const worth = mark.role === "op" ? undefined : ring(look.tone(mark), look);
  const pale = look.pale(mark);
  const around: Ink = worth
    ? { fill: ink.fill, stroke: worth.stroke, width: Math.min(3.5 * Math.max(1, 0.35 / scale), rect.height / 3) }
    : { fill: ink.fill, stroke: ink.stroke, width: ink.width };
  if (look.active(mark)) Object.assign(around, { fill: look.theme.colours.back, stroke: look.theme.colours.back });
  if (pale) around.alpha = 0.35;
  pen.rect(rect.x, rect.y, rect.width, rect.height, radius, around);
  if (mark.role === "group") {
    pen.rect(rect.x, rect.y, rect.width, rect.height, radius, { fill: look.theme.colours.tint, alpha: 0.12 });
    const title = mark.item.title.split(": ").pop()!;
    const size = Math.min(rect.height * 0.42, 11 / scale, (rect.width - 8) / Math.max(1, title.length) / 0.58);
    if (size * scale > 4.5)
      pen.text(title, rect.x + rect.width / 2, rect.y + rect.height / 2, "title", "middle", look.theme.colours.ink, size);
  }
  if (look.selected(mark))
    pen.rect(rect.x - 6, rect.y - 6, rect.width + 12, rect.height + 12, radius, {
      stroke: look.theme.kind("parameter")[1], width: 2 / scale,
    });
}

function drawMark(scene: Scene, mark: Mark, rect: Rect, pen: Pen, look: Look): void {
  const { theme } = look;
  const set = scene.frame(mark);
  const { x, y, width, height } = rect;
  const radius = Math.min(RADIUS[mark.box.kind], height / 2);
  const base = border(mark, look);
  const active = look.active(mark);
  const pale = look.pale(mark);
  pen.begin(look.told(mark));
  if (active)
    pen.rect(x - 5, y - 5, width + 10, height + 10, radius + 5, { fill: theme.colours.back, alpha: 0.28 });
  if (look.selected(mark))
    pen.rect(x - 4.5, y - 4.5, width + 9, height + 9, radius + 4, {
      stroke: theme.kind("parameter")[1], width: 2,
    });
  if (mark.role === "group")
    pen.rect(x + 4, y + 4, width, height, radius, { ...base, alpha: 0.55 });
  if (active && mark.role !== "node") base.fill = base.stroke = theme.colours.back;
  const worth = mark.role === "op" ? undefined : ring(look.tone(mark), look);
  if (worth?.dash) pen.rect(x, y, width, height, radius, { fill: base.fill });
  if (pale) pen.rect(x, y, width, height, radius, { fill: theme.colours.paper, stroke: theme.colours.rule, width: 1.25, dash: base.dash });
  else pen.rect(x, y, width, height, radius, { ...base, ...worth });
  if (mark.role === "group")
    pen.rect(x, y, width, height, radius, { fill: theme.colours.tint, alpha: 0.1 });
  for (const [x1, y1, x2, y2] of set.rules)
    pen.curve({ start: [x + x1, y + y1], steps: [[x + x2, y + y2]] }, { stroke: theme.colours.rule, width: 1 });
  let word = "";
  const [, , name] = theme.kind(mark.box.kind);
  for (const span of set.spans) {
    let { text } = span;
    let colour = span.role === "name" ? name : span.role === "number" ? theme.colours.ink : theme.colours.faint;
    if (mark.role === "op") colour = active ? theme.colours.paper : name;
    else if (pale) colour = theme.colours.faint;
    if (text === WIDEST) text = /grad/.test(word) ? look.grad(mark) : look.data(mark);
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
