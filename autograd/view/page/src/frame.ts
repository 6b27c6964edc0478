import type { Box } from "./picture";
import { type Role, width, fit } from "./text";
export interface Span { x: number; y: number; text: string; role: Role; anchor: "start" | "middle" | "end" }
export interface Frame { width: number; height: number; spans: Span[]; rules: [number, number, number, number][] }
const NUMBER = /^(—|nan|[+\-−]?(inf|∞|[\d.][\d.,_]*([eE][+\-−]?\d+)?[%kMGT]?))$/;
const ROW: Record<Role, number> = { name: 20, word: 17, number: 17, title: 17 };
export function frame(box: Box): Frame {
  let rows = box.lines.map((row, i) => (typeof row === "string" ? [row] : row).map((cell, j, all) => {
    const cut = cell.lastIndexOf(" ");
    const word = cell.slice(0, Math.max(cut, 0)), number = cell.slice(cut + 1);
    const numeric = NUMBER.test(number);
    if (i === 0 && j === 0 && !(numeric && all.length > 1)) return [["name", fit(cell, "name", 300)]] as [Role, string][];
    if (!numeric) return [["word", fit(cell, "word", 300)]] as [Role, string][];
    return (word ? [["word", word], ["number", number]] : [["number", number]]) as [Role, string][];
  }));
  if (rows.length && rows[0].length === 1 && rows[0][0][0][1] === "") rows = rows.slice(1);
  const wide1 = (cell: [Role, string][]) => cell.reduce((sum, [role, text]) => sum + width(text, role), 5 * (cell.length - 1));
  const columns: Record<number, number[]> = {};
  for (const row of rows) { const c = (columns[row.length] ??= row.map(() => 0)); row.forEach((cell, j) => (c[j] = Math.max(c[j], wide1(cell) + 20))); }
  const heights = rows.map((row) => Math.max(...row.flat().map(([role]) => ROW[role])));
  let wide = Math.max(30, Math.ceil(Math.max(0, ...Object.values(columns).map((c) => c.reduce((a, b) => a + b, 0))) / 12) * 12);
  const total = heights.reduce((a, b) => a + b, 0);
  let high = Math.max(30, total + 10);
  if (box.kind === "op") {
    const name = rows[0]?.flat().map(([, t]) => t).join("") ?? "";
    if (rows.length < 2 && name.length <= 2) wide = high = 32; else wide = Math.max(wide + 4, high);
  }
  const spans: Span[] = [], rules: [number, number, number, number][] = [];
  let top = (high - total) / 2;
  rows.forEach((row, i) => {
    const height = heights[i], record = row.length > 1;
    if (i > 0 && (record || rows[i - 1].length > 1)) rules.push([0, top, wide, top]);
    const shared = columns[row.length], stretch = (wide - shared.reduce((a, b) => a + b, 0)) / row.length;
    let left = 0;
    row.forEach((cell, j) => {
      const room = shared[j] + stretch;
      if (j > 0) rules.push([left, top - (i === 0 ? 5 : 0), left, top + height + (i === rows.length - 1 ? 5 : 0)]);
      const middle = left + room / 2, y = top + height / 2;
      if (cell.length === 1) spans.push({ x: middle, y, text: cell[0][1], role: cell[0][0], anchor: "middle" });
      else {
        const seam = middle - wide1(cell) / 2 + width(cell[0][1], cell[0][0]);
        spans.push({ x: seam, y, text: cell[0][1], role: cell[0][0], anchor: "end" }, { x: seam + 5, y, text: cell[1][1], role: cell[1][0], anchor: "start" });
      }
      left += room;
    });
    top += height;
  });
  return { width: wide, height: high, spans, rules };
}
