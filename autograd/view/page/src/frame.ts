/**
 * One box, set in type: how large it is and where each piece of its text stands.
 *
 * The port of `autograd/view/frame.py`.
 */

import { total } from "./arithmetic";
import { type Box, rowsOf } from "./picture";
import { fit, type Role, width } from "./text";

/** Height of a row in px, by the role of its first piece of text. */
const ROW: Record<Role, number> = { name: 20, word: 17, number: 17, title: 0 };
const PAD = 10; // left and right of the text of a cell
const EDGE = 5; // above the first row and below the last
const WORD_GAP = 5; // between the word and the number of a cell
const WIDEST = 300; // a longer cell ends in an ellipsis; the tooltip has it all
const SMALLEST = 30; // side of a box without text
const DISC = 32; // an op of one or two characters is a disc of this diameter
const STEP = 12; // widths are multiples of it, so that boxes under each other line up

// A number, or the dash that stands for a missing one.
const NUMBER =
  /^(?:—|nan|[+\-−]?(?:inf|∞|[\p{Nd}.][\p{Nd}.,_]*(?:[eE][+\-−]?\p{Nd}+)?[%kMGT]?))$/u;

/** Text at half its height on y, with its `anchor` on x, from the box's top left corner. */
export interface Span {
  x: number;
  y: number;
  text: string;
  role: Role;
  anchor: "start" | "middle" | "end";
}

/** A box set in type: its size, its text, and the hairlines (x1, y1, x2, y2) between cells. */
export interface Frame {
  width: number;
  height: number;
  spans: Span[];
  rules: [number, number, number, number][];
}

/** A word, a number, or a word and its number. */
type Cell = [Role, string][];

/**
 * Set `box` in type.
 *
 * Rows of equally many cells share their column widths, so numbers stand under numbers.
 */
export function frame(box: Box): Frame {
  const rows = rowsOf(box).flatMap((row, i) => (row.length ? [cells(row, i === 0)] : []));
  const name = rows[0];
  if (name?.length === 1 && name[0][0][0] === "name" && name[0][0][1] === "") rows.shift();
  const columns = new Map<number, number[]>();
  for (const row of rows) {
    const shared = columns.get(row.length) ?? row.map(() => 0);
    const wider = shared.map((a, j) => Math.max(a, cellWidth(row[j]) + 2 * PAD));
    columns.set(row.length, wider);
  }
  const roles = rows.map((row) => row.flatMap((cell) => cell.map(([role]) => role)));
  const heights = roles.map((row) => Math.max(...row.map((role) => ROW[role])));
  let wide = Math.max(0, ...[...columns.values()].map(total));
  wide = Math.max(Math.ceil(wide / STEP) * STEP, SMALLEST);
  let high = Math.max(total(heights) + 2 * EDGE, SMALLEST);
  if (box.kind === "op") {
    const said = (rows[0] ?? []).flatMap((cell) => cell.map(([, text]) => text)).join("");
    const disc = rows.length < 2 && [...said].length <= 2;
    [wide, high] = disc ? [DISC, DISC] : [Math.max(wide + 4, high), high];
  }

  const spans: Span[] = [];
  const rules: [number, number, number, number][] = [];
  let top = (high - total(heights)) / 2;
  rows.forEach((row, i) => {
    const height = heights[i];
    const above = i === 0 ? EDGE : 0; // hairlines reach the border
    const below = i === rows.length - 1 ? EDGE : 0;
    if (i > 0 && (row.length > 1 || rows[i - 1].length > 1)) rules.push([0, top, wide, top]);
    const shared = columns.get(row.length)!;
    const stretch = (wide - total(shared)) / row.length;
    let left = 0;
    row.forEach((cell, j) => {
      const room = shared[j] + stretch;
      if (j > 0) rules.push([left, top - above, left, top + height + below]);
      const middle = left + room / 2;
      const y = top + height / 2;
      const [role, text] = cell[0];
      if (cell.length === 1) {
        spans.push({ x: middle, y, text, role, anchor: "middle" });
      } else {
        const [figure, number] = cell[1];
        const seam = middle - cellWidth(cell) / 2 + width(text, role);
        spans.push({ x: seam, y, text, role, anchor: "end" });
        spans.push({ x: seam + WORD_GAP, y, text: number, role: figure, anchor: "start" });
      }
      left += room;
    });
    top += height;
  });
  return { width: wide, height: high, spans, rules };
}

/**
 * The cells of a row as pieces of text.
 *
 * The very first cell of a box is its name, unless it is one of several and holds a number: then
 * the box has no name.
 */
function cells(row: readonly string[], first: boolean): Cell[] {
  return row.map((cell, j): Cell => {
    const space = cell.lastIndexOf(" ");
    const word = cell.slice(0, Math.max(space, 0));
    const number = cell.slice(space + 1);
    const numeric = NUMBER.test(number);
    const nameless = numeric && row.length > 1;
    if (first && j === 0 && !nameless) return [["name", fit(cell, "name", WIDEST)]];
    if (!numeric) return [["word", fit(cell, "word", WIDEST)]];
    const figure: [Role, string] = ["number", fit(number, "number", WIDEST)];
    return word ? [["word", fit(word, "word", WIDEST)], figure] : [figure];
  });
}

function cellWidth(cell: Cell): number {
  return total(cell.map(([role, text]) => width(text, role))) + WORD_GAP * (cell.length - 1);
}
