/** The drawing as it is now, as an SVG file. */

import type { App } from "./app";
import { plain, RADIUS, ring } from "./boxes";
import { MEASURES, type Tone } from "./colour";
import { SvgPen } from "./pen";
import type { Stage } from "./stage";
import { width } from "./text";

const MARGIN = 22;
const HEADING = 32;
const KEY_ROW = 24;
const NARROW = 300; // no drawing is narrower than this, so that the key has room
const STEP = 14; // px of each colour of the scale
const KINDS = ["input", "parameter", "constant", "value", "op", "output"];
const RINGS = { still: "zero", broken: "nan or ∞", partial: "incomplete" };

/** An entry of the key: its width, and how it is drawn with its left end at (x, y). */
type Entry = [wide: number, draw: (x: number, y: number) => void];

export function svg(app: App, stage: Stage): string {
  const scene = app.scene.value!;
  const theme = app.themes.both;
  const { ink, faint, paper, edge } = theme.colours;
  const { title } = app.sheet.value.trace;
  const look = stage.look(theme);
  const marks = [...scene.marks.values()];
  const tones = marks.filter(({ role }) => role !== "op").map((mark) => look.tone(mark));

  const wide = Math.max(scene.width, NARROW);
  const pen = new SvgPen();
  const entries: Entry[] = [];
  const say = (text: string, x: number, y: number) => pen.text(text, x, y, "word", "start", faint);
  const swatch = (name: string, draw: (x: number, y: number) => void) =>
    entries.push([32 + width(name, "word"), (x, y) => (draw(x, y), say(name, x + 32, y))]);
  const used = new Set(marks.filter(({ role }) => role !== "group").map(({ box }) => box.kind));
  for (const kind of KINDS)
    if (used.size > 1 && (used as Set<string>).has(kind))
      swatch(kind, (x, y) => pen.rect(x + 1, y - 7, 24, 14, RADIUS[kind], plain(kind, theme)));
  const measure = app.measure.value;
  if (tones.some(({ kind }) => kind === "hot" || kind === "partial")) {
    const [low, high] = app.sheet.value.scales[measure].ends;
    const words = `${MEASURES[measure]}  ${low}`;
    const start = width(words, "word") + 8;
    const end = start + STEP * theme.heat.length + 8;
    entries.push([
      end + width(high, "word"),
      (x, y) => {
        say(words, x, y);
        theme.heat.forEach((fill, i) =>
          pen.rect(x + start + STEP * i, y - 6, STEP, 12, 0, { fill }),
        );
        say(high, x + end, y);
      },
    ]);
  }
  for (const [kind, name] of Object.entries(RINGS)) {
    const tone = tones.find((each) => each.kind === kind);
    const worth = tone && ring({ heat: 5, ...tone } as Tone, theme);
    if (worth) swatch(`gradient ${name}`, (x, y) => pen.rect(x + 2, y - 6, 22, 12, 4, worth));
  }

  const top = MARGIN + HEADING;
  const foot = top + scene.height + MARGIN;
  let [x, y] = [0, 0];
  const places = entries.map(([room]) => {
    if (x && x + room > wide) [x, y] = [0, y + KEY_ROW];
    x += room + 20;
    return [MARGIN + x - room - 20, foot + y + 6];
  });
  const high = foot + (entries.length ? y + KEY_ROW + 8 : 0);
  const whole = wide + 2 * MARGIN;
  pen.rect(0.5, 0.5, whole - 1, high - 1, 12, { fill: paper, stroke: edge });
  pen.text(title, MARGIN, MARGIN + 8, "name", "start", ink, 16);
  pen.shift((whole - scene.width) / 2, top);
  stage.drawAll(pen, look);
  pen.end();
  entries.forEach(([, draw], i) => draw(places[i][0], places[i][1]));
  return pen.file(whole, high, title);
}

/** Hand a text to the reader as a file. */
export function download(text: string, name: string, type: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
