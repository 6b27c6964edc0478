/** What canvases have in common: their size on this screen, colours of numbers, fields of bytes. */

import { diverging } from "../heatmap";
import { float } from "../numbers";
import type { Theme } from "../theme";
import type { Num } from "../trace";

/** Fit a canvas to its place in the page, and give a context that measures in px of the page. */
export function context(canvas: HTMLCanvasElement): { pen: CanvasRenderingContext2D; width: number; height: number } {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio || 1;
  const [across, down] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== across || canvas.height !== down) Object.assign(canvas, { width: across, height: down });
  const pen = canvas.getContext("2d")!;
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.clearRect(0, 0, width, height);
  return { pen, width, height };
}

/** Colours from -1 to 1 as 255 times red, green, blue; byte b means (b - 128) / 127. */
const tables = new Map<boolean, Uint8ClampedArray>();

function table(theme: Theme): Uint8ClampedArray {
  const known = tables.get(theme.dark);
  if (known) return known;
  const pen = canvas(256, 1).getContext("2d", { willReadFrequently: true })!;
  for (let b = 0; b < 256; b++) {
    pen.fillStyle = diverging(((b - 128) / 127) * 0.86, 1, theme);
    pen.fillRect(b, 0, 1, 1);
  }
  const made = pen.getImageData(0, 0, 256, 1).data;
  tables.set(theme.dark, made);
  return made;
}

function canvas(width: number, height: number): HTMLCanvasElement {
  return Object.assign(document.createElement("canvas"), { width, height });
}

/** For each size one canvas that fields are put on, to be drawn from there at once. */
const scratches = new Map<number, CanvasRenderingContext2D>();

function scratch(size: number): CanvasRenderingContext2D {
  const known = scratches.get(size) ?? canvas(size, size).getContext("2d", { willReadFrequently: true })!;
  scratches.set(size, known);
  return known;
}

/** A square field of bytes with one pixel each, the last row on top if `up`; valid until the next. */
export function field(values: Uint8Array, theme: Theme, up = true): HTMLCanvasElement {
  const size = Math.round(Math.sqrt(values.length));
  const pen = scratch(size);
  const image = pen.createImageData(size, size);
  const colours = table(theme);
  for (let row = 0; row < size; row++)
    for (let col = 0; col < size; col++) {
      const from = 4 * values[(up ? size - 1 - row : row) * size + col];
      const to = 4 * (row * size + col);
      image.data[to] = colours[from];
      image.data[to + 1] = colours[from + 1];
      image.data[to + 2] = colours[from + 2];
      image.data[to + 3] = 255;
    }
  pen.putImageData(image, 0, 0);
  return pen.canvas;
}

/** Numbers as bytes on a scale from -limit to limit. */
export function scaled(xs: number[], limit: number): Uint8Array {
  return Uint8Array.from(xs, (x) => 128 + 127 * Math.max(-1, Math.min(1, limit > 0 ? x / limit : 0)));
}

/** Ink on paper: 0 is the paper's colour, 255 the ink's. */
export function ink(values: Uint8Array, theme: Theme): HTMLCanvasElement {
  const size = Math.round(Math.sqrt(values.length));
  const picture = canvas(size, size);
  const pen = picture.getContext("2d")!;
  pen.fillStyle = theme.colours.ink;
  values.forEach((value, i) => {
    pen.globalAlpha = value / 255;
    pen.fillRect(i % size, Math.floor(i / size), 1, 1);
  });
  return picture;
}

/** The largest finite size among numbers. */
export function largest(xs: Num[]): number {
  return xs.reduce((most: number, x) => {
    const size = Math.abs(float(x));
    return Number.isFinite(size) ? Math.max(most, size) : most;
  }, 0);
}

/** The two colours of a theme for what is negative or class 0, and positive or class 1. */
export function poles(theme: Theme): [string, string] {
  return [diverging(-0.8, 1, theme), diverging(0.8, 1, theme)];
}

/** The page's own type on a canvas. */
export function font(size: number, family: "sans" | "mono" = "sans"): string {
  const home = document.getElementById("glassgrad")!;
  return `${size}px ${getComputedStyle(home).getPropertyValue(`--${family}`)}`;
}
