import type { Picture } from "../picture";
import { frame } from "../frame";
import type { Layout, Panel, Rect, Route } from "./plan";
export type { Layout, Panel, Rect, Route } from "./plan";
export function layout(picture: Picture, _wrap: number | null = null): Layout {
  const before = new Map<string, string[]>();
  for (const b of picture.boxes) before.set(b.key, []);
  for (const a of picture.arrows) before.get(a.head)!.push(a.tail);
  const rank = new Map<string, number>();
  for (const b of picture.boxes) rank.set(b.key, 0);
  for (let k = 0; k < 3; k++) for (const b of picture.boxes) for (const t of before.get(b.key)!) if (rank.get(t)! + 1 > rank.get(b.key)! && rank.get(t)! < 3000) rank.set(b.key, rank.get(t)! + 1);
  const boxes = new Map<string, Rect>(), columns = new Map<number, string[]>();
  for (const b of picture.boxes) { const r = rank.get(b.key)!; if (!columns.has(r)) columns.set(r, []); columns.get(r)!.push(b.key); }
  const frames = new Map(picture.boxes.map((b) => [b.key, frame(b)]));
  let x = 10, most = 0;
  for (const r of [...columns.keys()].sort((a, b) => a - b)) {
    let y = 30, wide = 0;
    for (const key of columns.get(r)!) { const f = frames.get(key)!; boxes.set(key, { x, y, width: f.width, height: f.height }); y += f.height + 26; wide = Math.max(wide, f.width); }
    most = Math.max(most, y); x += wide + 50;
  }
  const routes: Route[] = picture.arrows.map((a) => { const t = boxes.get(a.tail)!, h = boxes.get(a.head)!; const s = [t.x + t.width, t.y + t.height / 2] as const, e = [h.x, h.y + h.height / 2] as const; const m = (s[0] + e[0]) / 2; return { start: s, steps: [[m, s[1], m, e[1], e[0], e[1]]], label: null }; });
  const clusters = new Map<string, Panel[]>();
  const parent = new Map(picture.clusters.map((c) => [c.key, c.parent]));
  for (const c of picture.clusters) clusters.set(c.key, []);
  for (const b of picture.boxes) { let c: string | null = b.cluster; let pad = 8; while (c) { const r = boxes.get(b.key)!; const p = clusters.get(c)![0]; if (!p) clusters.get(c)!.push({ x: r.x - pad, y: r.y - pad - 16, width: r.width + 2 * pad, height: r.height + 2 * pad + 16, titleX: r.x }); else { const right = Math.max(p.x + p.width, r.x + r.width + pad), bottom = Math.max(p.y + p.height, r.y + r.height + pad); p.x = Math.min(p.x, r.x - pad); p.y = Math.min(p.y, r.y - pad - 16); p.width = right - p.x; p.height = bottom - p.y; p.titleX = p.x + 8; } c = parent.get(c)!; pad += 6; } }
  return { width: x, height: most, boxes, routes, clusters };
}
