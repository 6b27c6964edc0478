/** How a box looks, as in our static drawings: shape by kind, a ring by its gradient. */

import type { Tone } from "./colour";
import type { Rect } from "./layout/plan";
import { diverging } from "./heatmap";
import { WIDEST } from "./numbers";
import type { Ink, Pen } from "./pen";
import type { Mark, Plate, Scene } from "./scene";
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

export const RADIUS: { [kind: string]: number } = {
  value: 8,
  parameter: 4,
  input: 16,
  output: 8,
  constant: 8,
  op: Infinity,
};
/** Below this scale text is too small to be read. */
export const READABLE = 0.42;
/** Below this one corners and tips are too small to be seen. */
export const VISIBLE = 0.2;
/** A box at `rect`, in detail as far as one can see it; `over` all else it also shows activity. */
export function drawBox(
  scene: Scene,
  mark: Mark,
  rect: Rect,
  pen: Pen,
  look: Look,
  scale: number,
  over = false,
): void {
  const active = over && look.active(mark);
  if (scale < READABLE || rect.width < 0.8 * mark.rect.width)
    drawSmall(mark, rect, pen, look, scale, active);
  else drawMark(scene, mark, rect, pen, look, active);
}

/** What a tone looks like around a box. */
export function ring(tone: Tone, theme: Theme): Ink | undefined {
  const { colours, heat } = theme;
  if (tone.kind === "hot") return { stroke: heat[tone.heat], width: 3.5 };
  if (tone.kind === "between")
    return { stroke: diverging(tone.share, 1, theme), width: 3.5 };
  if (tone.kind === "partial")
    return { stroke: heat[tone.heat] ?? colours.faint, width: 3.5, dash: [9, 6] };
  if (tone.kind === "still")
    return { stroke: colours.faint, width: 2.5, dash: [1, 4], cap: "round" };
  if (tone.kind === "broken") return { stroke: colours.alarm, width: 4, dash: [7, 3] };
  return undefined;
}

function border(mark: Mark, { theme }: Look): Ink {
  const { paper, tint } = theme.colours;
  if (mark.role === "group") return { fill: paper, stroke: tint, width: 1.25 };
  return plain(mark.box.kind, theme);
}

/** A kind of box, without a ring. */
export function plain(kind: string, theme: Theme): Ink {
  const [fill, stroke] = theme.kind(kind);
  const ink: Ink = { fill, stroke, width: kind === "output" ? 2.25 : 1.25 };
  if (kind === "constant") ink.dash = [4, 3];
  return ink;
}

function drawSmall(
  mark: Mark,
  rect: Rect,
  pen: Pen,
  look: Look,
  scale: number,
  active: boolean,
): void {
  const ink = border(mark, look);
  const radius = scale < VISIBLE ? 0 : (RADIUS[mark.box.kind] ?? 8);
  const worth = mark.role === "op" ? undefined : ring(look.tone(mark), look.theme);
  const pale = look.pale(mark);
  const around: Ink = worth
    ? {
        fill: ink.fill,
        stroke: worth.stroke,
        width: Math.min(3.5 * Math.max(1, 0.35 / scale), rect.height / 3),
        dash: scale < VISIBLE ? undefined : worth.dash,
        cap: worth.cap,
      }
    : { fill: ink.fill, stroke: ink.stroke, width: ink.width };
  if (mark.role === "op" && look.culprit(mark)) {
    around.fill = around.stroke = look.theme.colours.alarm;
  }
  if (active)
    Object.assign(
      around,
      mark.role === "group"
        ? { stroke: look.theme.colours.back }
        : { fill: look.theme.colours.back, stroke: look.theme.colours.back },
    );
  if (pale) around.alpha = 0.35;
  pen.rect(rect.x, rect.y, rect.width, rect.height, radius, around);
  if (mark.role === "group") {
    pen.rect(rect.x, rect.y, rect.width, rect.height, radius, {
      fill: look.theme.colours.tint,
      alpha: 0.12,
    });
    const title = mark.item.title.split(": ").pop()!;
    const size = Math.min(
      rect.height * 0.42,
      11 / scale,
      (rect.width - 8) / Math.max(1, title.length) / 0.58,
    );
    if (size * scale > 4.5)
      pen.text(
        title,
        rect.x + rect.width / 2,
        rect.y + rect.height / 2,
        "title",
        "middle",
        look.theme.colours.ink,
        size,
      );
  }
}

function drawMark(
  scene: Scene,
  mark: Mark,
  rect: Rect,
  pen: Pen,
  look: Look,
  active: boolean,
): void {
  const { theme } = look;
  const set = scene.frame(mark);
  const { x, y, width, height } = rect;
  const radius = Math.min(RADIUS[mark.box.kind], height / 2);
  const base = border(mark, look);
  const pale = look.pale(mark);
  pen.begin(look.told(mark));
  if (active)
    pen.rect(x - 5, y - 5, width + 10, height + 10, radius + 5, {
      fill: theme.colours.back,
      alpha: 0.28,
    });
  if (mark.role === "group")
    pen.rect(x + 4, y + 4, width, height, radius, { ...base, alpha: 0.55 });
  if (mark.role === "op" && look.culprit(mark)) base.fill = base.stroke = theme.colours.alarm;
  if (active && mark.role === "op") base.fill = base.stroke = theme.colours.back;
  const worth = mark.role === "op" ? undefined : ring(look.tone(mark), look.theme);
  if (worth?.dash) pen.rect(x, y, width, height, radius, { fill: base.fill });
  if (pale)
    pen.rect(x, y, width, height, radius, {
      fill: theme.colours.paper,
      stroke: theme.colours.rule,
      width: 1.25,
      dash: base.dash,
    });
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
    let colour =
      span.role === "name"
        ? name
        : span.role === "number"
          ? theme.colours.ink
          : theme.colours.faint;
    if (pale) colour = theme.colours.faint;
    else if (mark.role === "op") colour = active ? theme.colours.paper : name;
    if (text === WIDEST) text = /grad/.test(word) ? look.grad(mark) : look.data(mark);
    if (span.role === "number" && /nan|∞/.test(text)) colour = theme.colours.alarm;
    if (span.role === "word") word = span.text;
    pen.text(text, x + span.x, y + span.y, span.role, span.anchor, colour);
  }
  pen.end();
}
