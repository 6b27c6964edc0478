/** Elements of an array as a field of colours: blue below zero, orange above, zero neutral. */

import { h } from "./dom";
import { float, MISSING, short } from "./numbers";
import type { Theme } from "./theme";
import { tiled } from "./tiles";
import type { Num, Preview } from "./trace";

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
const LEAST = 3; // px of the side of an element …
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

/** Where elements are drawn: edges of columns and rows, in px, and which element is where. */
export interface Board {
  side: number;
  left: number[];
  top: number[];
  value(row: number, col: number): Num | undefined;
  place(row: number, col: number): string;
  /** How many elements there are, and what is said of them below. */
  size: string;
  shown: string;
}

/** A heat map of a preview on a scale from -limit to limit, with the value pointed at below it. */
export function heatmap(
  preview: Preview,
  theme: Theme,
  limit = most([preview]),
  says = "",
  wide = WIDE,
): HTMLElement {
  const long = preview.rows.length === 1 && preview.cols.length * LEAST > wide;
  const board = preview.tile ? tiled : long ? lines : table;
  const { left, top, side, value, place, size, shown } = board(preview, wide);
  const width = left[left.length - 1];
  const height = top[top.length - 1];
  const canvas = h("canvas", {
    role: "img",
    "aria-label": `${says} ${size} elements from ${short(-limit)} to ${short(limit)}`,
    style: `width:${width}px;height:${height}px`,
  });
  const ratio = devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const context = canvas.getContext("2d")!;
  context.scale(ratio, ratio);
  const seam = side > 8 ? 1 : 0;
  for (let i = 0; i < top.length - 1; i++)
    for (let j = 0; j < left.length - 1; j++) {
      const x = value(i, j);
      if (x === undefined) continue;
      context.fillStyle = diverging(float(x), limit, theme);
      context.fillRect(left[j], top[i], side - seam, side - seam);
    }
  const read = h("span", { class: "number read" }, MISSING);
  const rest = h("span", { class: "faint" }, shown);
  canvas.addEventListener("pointermove", (event) => {
    const i = find(top, event.offsetY, side);
    const j = find(left, event.offsetX, side);
    const x = i < 0 || j < 0 ? undefined : value(i, j);
    if (x === undefined) return;
    rest.textContent = place(i, j);
    read.textContent = short(x);
  });
  canvas.addEventListener("pointerleave", () => {
    rest.textContent = shown;
    read.textContent = MISSING;
  });
  return h("div", { class: "heatmap" }, canvas, h("div", { class: "reading" }, rest, read));
}

/** The elements as a table; a column lies down. */
function table(preview: Preview, wide: number): Board {
  const upright = preview.cols.length === 1 && preview.rows.length > 1;
  const { rows, cols, values } = upright ? transposed(preview) : preview;
  const across = offsets(cols);
  const side = Math.max(
    LEAST,
    Math.min(
      LARGEST,
      Math.floor((wide - across.gaps) / cols.length),
      Math.floor(HIGH / rows.length),
    ),
  );
  return {
    side,
    left: across.at(side),
    top: offsets(rows).at(side),
    value: (i, j) => values[i]?.[j],
    place(i, j) {
      const [row, col] = upright ? [cols[j], rows[i]] : [rows[i], cols[j]];
      return preview.rows.length > 1 || row ? `[${row}, ${col}]` : `[${col}]`;
    },
    size: `${rows.length} × ${cols.length}`,
    shown: `${preview.rows.length}×${preview.cols.length} shown`,
  };
}

/** One long row, as text is set in lines. */
function lines({ rows: [row], cols, values }: Preview, wide: number): Board {
  const side = 2 * LEAST;
  const many = Math.floor(wide / side);
  const edges = (count: number) => Array.from({ length: count + 1 }, (_, i) => i * side);
  return {
    side,
    left: edges(many),
    top: edges(Math.ceil(cols.length / many)),
    value: (i, j) => values[0][i * many + j],
    place: (i, j) => `[${row ? `${row}, ` : ""}${cols[i * many + j]}]`,
    size: `${cols.length}`,
    shown: `${cols.length} shown`,
  };
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

/** Which element of so many px lies at x, if any. */
function find(edges: number[], x: number, side: number): number {
  return edges.findIndex((edge, i) => i < edges.length - 1 && x >= edge && x < edge + side);
}
