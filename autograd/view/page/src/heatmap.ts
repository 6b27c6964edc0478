/** Elements of an array as a field of colours: blue below zero, orange above, zero neutral. */

import { h } from "./dom";
import { float, MISSING, short } from "./numbers";
import type { Theme } from "./theme";
import type { Preview } from "./trace";

const COLD = {
  light: ["#f4f4f2", "#b9d4ea", "#5b9bd0", "#1b5e9e"],
  dark: ["#262b32", "#264a6e", "#3d83c2", "#8cc5f5"],
};
const WARM = {
  light: ["#f4f4f2", "#f6cfa4", "#e58a3c", "#a34a07"],
  dark: ["#262b32", "#6b4217", "#c97a26", "#ffc076"],
};
const WIDE = 288; // px that a row may take
const HIGH = 170; // px that all rows may take
const LARGEST = 26; // px of the side of an element
const GAP = 4; // px where rows or columns are left out

/** The colour of x on a scale from -most to most. */
export function diverging(x: number, most: number, theme: Theme): string {
  if (!Number.isFinite(x)) return theme.colours.alarm;
  const stops = (x < 0 ? COLD : WARM)[theme.dark ? "dark" : "light"];
  const place = most > 0 ? Math.min(1, Math.abs(x) / most) * (stops.length - 1) : 0;
  const i = Math.min(stops.length - 2, Math.floor(place));
  return `color-mix(in srgb, ${stops[i + 1]} ${Math.round((place - i) * 100)}%, ${stops[i]})`;
}

/** The largest finite size among some previews. */
export function most(previews: (Preview | undefined)[]): number {
  let largest = 0;
  for (const preview of previews)
    for (const row of preview?.values ?? [])
      for (const x of row) {
        const size = Math.abs(float(x));
        if (Number.isFinite(size)) largest = Math.max(largest, size);
      }
  return largest;
}

/** A heat map of a preview on a scale from -limit to limit, with the value pointed at below it. */
export function heatmap(
  preview: Preview,
  theme: Theme,
  limit = most([preview]),
  says = "",
  wide = WIDE,
): HTMLElement {
  const upright = preview.cols.length === 1 && preview.rows.length > 1; // a column lies down
  const { rows, cols, values } = upright ? transposed(preview) : preview;
  const across = offsets(cols);
  const side = Math.max(
    3,
    Math.min(
      LARGEST,
      Math.floor((wide - across.gaps) / cols.length),
      Math.floor(HIGH / rows.length),
    ),
  );
  const left = across.at(side);
  const top = offsets(rows).at(side);
  const width = left[cols.length];
  const height = top[rows.length];
  const canvas = h("canvas", {
    role: "img",
    "aria-label": `${says} ${rows.length} × ${cols.length} elements from ${short(-limit)} to ${short(limit)}`,
    style: `width:${width}px;height:${height}px`,
  });
  const ratio = devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  const seam = side > 8 ? 1 : 0;
  values.forEach((row, i) =>
    row.forEach((x, j) => {
      context.fillStyle = diverging(float(x), limit, theme);
      context.fillRect(left[j], top[i], side - seam, side - seam);
    }),
  );
  const read = h("span", { class: "number read" }, MISSING);
  const shown = `${preview.rows.length}×${preview.cols.length} shown`;
  const rest = h("span", { class: "faint" }, shown);
  canvas.addEventListener("pointermove", (event) => {
    const i = find(top, event.offsetY);
    const j = find(left, event.offsetX);
    if (i < 0 || j < 0 || i >= rows.length || j >= cols.length) return;
    const [row, col] = upright ? [cols[j], rows[i]] : [rows[i], cols[j]];
    const place = preview.rows.length > 1 || row ? `[${row}, ${col}]` : `[${col}]`;
    rest.textContent = place;
    read.textContent = short(values[i][j]);
  });
  canvas.addEventListener("pointerleave", () => {
    rest.textContent = shown;
    read.textContent = MISSING;
  });
  return h("div", { class: "heatmap" }, canvas, h("div", { class: "reading" }, rest, read));
}

/** The scale below heat maps: from -limit through 0 to limit. */
export function heatKey(limit: number, theme: Theme): HTMLElement {
  const stops = [-1, -0.67, -0.33, 0, 0.33, 0.67, 1].map((x) => diverging(x, 1, theme)).join(",");
  return h(
    "div",
    { class: "heatkey" },
    h("span", { class: "number" }, short(-limit)),
    h("i", { style: `background:linear-gradient(90deg,${stops})` }),
    h("span", { class: "number" }, short(limit)),
  );
}

function transposed({ rows, cols, values }: Preview): Preview {
  return { rows: cols, cols: rows, values: cols.map((_, j) => values.map((row) => row[j])) };
}

function offsets(indices: number[]): { gaps: number; at(side: number): number[] } {
  const skips = indices.map((index, i) => i > 0 && index - indices[i - 1] > 1);
  const even = skips.filter(Boolean).length > 3; // samples of an axis, no two of them neighbours
  const gap = skips.map((skip) => (skip && !even ? GAP : 0));
  return {
    gaps: gap.reduce((a: number, b) => a + b, 0),
    at(side) {
      const places = [];
      let x = 0;
      for (let i = 0; i < indices.length; i++) {
        x += gap[i];
        places.push(x);
        x += side;
      }
      return [...places, x];
    },
  };
}

function find(edges: number[], x: number): number {
  return edges.findIndex((edge, i) => x >= edge && x < (edges[i + 1] ?? Infinity));
}
