/** The drawing as it is now, as an SVG file. */

import type { App } from "./app";
import { MEASURES } from "./colour";
import { SvgPen } from "./pen";
import type { Stage } from "./stage";
import { width } from "./text";

const MARGIN = 22;
const HEADING = 32;
const KEY = 40;

export function svg(app: App, stage: Stage): string {
  const scene = app.scene.value!;
  const pen = new SvgPen();
  const theme = app.themes.signal.value;
  const { title } = app.sheet.value.trace;
  const wide = Math.max(scene.width, 420) + 2 * MARGIN;
  const high = scene.height + 2 * MARGIN + HEADING + KEY;
  pen.rect(0.5, 0.5, wide - 1, high - 1, 12, {
    fill: theme.colours.paper,
    stroke: theme.colours.edge,
  });
  pen.text(title, MARGIN, MARGIN + 8, "name", "start", theme.colours.ink, 16);
  pen.shift((wide - scene.width) / 2, MARGIN + HEADING);
  stage.drawAll(pen);
  pen.end();
  const y = high - KEY / 2 - 6;
  const scale = app.sheet.value.scales[app.measure.value];
  const [low, end] = scale.ends;
  const words = `${MEASURES[app.measure.value]}  ${low}`;
  pen.text(words, MARGIN, y, "word", "start", theme.colours.faint);
  let x = MARGIN + width(words, "word") + 8;
  for (const colour of theme.heat) {
    pen.rect(x, y - 6, 14, 12, 0, { fill: colour });
    x += 14;
  }
  pen.text(end, x + 8, y, "word", "start", theme.colours.faint);
  return pen.file(wide, high, title);
}

/** Hand a text to the reader as a file. */
export function download(text: string, name: string, type: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
