/** A picture that has its places: what lies where, for drawing it and for pointing at it. */

import { hasPill, pill, type Fold } from "./fold";
import { type Frame, frame } from "./frame";
import type { Layout, Panel, Rect, Route } from "./layout/plan";
import type { Arrow, Box, Cluster, Picture } from "./picture";
import { distance, widen, type Extent } from "./reach";
import type { Item } from "./tree";

/** A box in its place. */
export interface Mark {
  key: string;
  box: Box;
  rect: Rect;
  item: Item;
  role: "node" | "op" | "group";
}

export interface Line {
  arrow: Arrow;
  route: Route;
  /** left, top, right, bottom */
  bounds: Extent;
}

export interface Plate {
  cluster: Cluster;
  panel: Panel;
  item: Item;
  depth: number;
}

/** Side of the squares by which things are found, in px. */
const CELL = 512;
/** A line through more of them is looked at wherever one looks. */
const FAR = 400;

export class Scene {
  readonly marks = new Map<string, Mark>();
  readonly lines: Line[];
  readonly plates: Plate[] = [];
  readonly width: number;
  readonly height: number;
  private readonly frames = new Map<string, Frame>();
  private readonly markCells = new Map<number, Mark[]>();
  private readonly lineCells = new Map<number, Line[]>();
  /** Lines that cross very many squares. */
  private readonly far: Line[] = [];

  constructor(
    readonly fold: Fold,
    readonly picture: Picture,
    layout: Layout,
  ) {
    this.width = layout.width;
    this.height = layout.height;
    const { tree, graph } = fold;
    for (const item of tree.leaves)
      if (hasPill(graph, item.index)) this.ops.set(pill(item.key), item);
    for (const box of picture.boxes) {
      const item = tree.byKey.get(box.key) ?? this.ops.get(box.key)!;
      const role = box.kind === "op" ? "op" : item.kind === "node" ? "node" : "group";
      const mark: Mark = { key: box.key, box, rect: layout.boxes.get(box.key)!, item, role };
      this.marks.set(box.key, mark);
      const { x, y, width, height } = mark.rect;
      for (const cell of cells(x, y, x + width, y + height)) push(this.markCells, cell, mark);
    }
    this.lines = picture.arrows.map((arrow, i) => {
      const route = layout.routes[i];
      const line: Line = { arrow, route, bounds: bounds(route) };
      const covered = passed(route);
      if (covered) for (const cell of covered) push(this.lineCells, cell, line);
      else this.far.push(line);
      for (const end of [arrow.tail, arrow.head]) {
        const there = this.joined.get(end);
        if (there) there.push(line);
        else this.joined.set(end, [line]);
      }
      return line;
    });
    for (const cluster of picture.clusters) {
      const item = tree.byKey.get(cluster.key)!;
      for (const panel of layout.clusters.get(cluster.key) ?? [])
        this.plates.push({ cluster, panel, item, depth: item.depth });
    }
    this.plates.sort((a, b) => a.depth - b.depth);
  }

  private readonly joined = new Map<string, Line[]>();
  private readonly ops = new Map<string, Item>();

  /** The box set in type, when it is first looked at closely. */
  frame(mark: Mark): Frame {
    let set = this.frames.get(mark.key);
    if (!set) this.frames.set(mark.key, (set = frame(mark.box)));
    return set;
  }

  marksIn(left: number, top: number, right: number, bottom: number): Iterable<Mark> {
    if (this.covers(left, top, right, bottom)) return this.marks.values();
    return gather(this.markCells, left, top, right, bottom);
  }

  linesIn(left: number, top: number, right: number, bottom: number): Iterable<Line> {
    if (this.covers(left, top, right, bottom)) return this.lines;
    const found = gather(this.lineCells, left, top, right, bottom);
    for (const line of this.far) {
      const [a, b, c, d] = line.bounds;
      if (a <= right && c >= left && b <= bottom && d >= top) found.add(line);
    }
    return found;
  }

  /** The lines from and to a box. */
  linesOf(key: string): Line[] {
    return this.joined.get(key) ?? [];
  }

  private covers(left: number, top: number, right: number, bottom: number): boolean {
    return (right - left) * (bottom - top) > 0.5 * this.width * this.height;
  }

  /** The box at a point, or the innermost frame around it. */
  at(x: number, y: number, slack = 0): { mark?: Mark; plate?: Plate } {
    let nearest: Mark | undefined;
    let best = slack;
    for (const mark of gather(this.markCells, x - slack, y - slack, x + slack, y + slack)) {
      const { rect } = mark;
      const dx = Math.max(rect.x - x, 0, x - rect.x - rect.width);
      const dy = Math.max(rect.y - y, 0, y - rect.y - rect.height);
      const distance = Math.hypot(dx, dy);
      if (distance <= best) [nearest, best] = [mark, distance];
    }
    const plate = this.plates.findLast(
      ({ panel }) =>
        x >= panel.x && x <= panel.x + panel.width && y >= panel.y && y <= panel.y + panel.height,
    );
    return { mark: nearest, plate };
  }

  /** The line nearest to a point, if any lies within `slack`. */
  lineAt(x: number, y: number, slack: number): Line | undefined {
    let nearest: Line | undefined;
    let best = slack;
    const look = (line: Line) => {
      const [left, top, right, bottom] = line.bounds;
      if (x < left - best || x > right + best || y < top - best || y > bottom + best) return;
      const away = distance(line.route, x, y, best);
      if (away <= best) [nearest, best] = [line, away];
    };
    for (const cell of cells(x - slack, y - slack, x + slack, y + slack))
      this.lineCells.get(cell)?.forEach(look);
    this.far.forEach(look);
    return nearest;
  }

  /** Where an item is: its box, or its frame. */
  rectOf(item: Item): Rect | undefined {
    return (
      this.marks.get(item.key)?.rect ??
      this.marks.get(pill(item.key))?.rect ??
      this.plates.find((plate) => plate.item === item)?.panel
    );
  }
}

function push<T>(cells: Map<number, T[]>, cell: number, thing: T): void {
  const there = cells.get(cell);
  if (there) there.push(thing);
  else cells.set(cell, [thing]);
}

function cells(left: number, top: number, right: number, bottom: number): number[] {
  const found: number[] = [];
  for (let i = Math.floor(left / CELL); i <= right / CELL; i++)
    for (let j = Math.floor(top / CELL); j <= bottom / CELL; j++) found.push(i * 65536 + j);
  return found;
}

function gather<T>(
  index: Map<number, T[]>,
  left: number,
  top: number,
  right: number,
  bottom: number,
): Set<T> {
  const found = new Set<T>();
  for (const cell of cells(left, top, right, bottom))
    for (const thing of index.get(cell) ?? []) found.add(thing);
  return found;
}

/** The squares that the pieces of a route lie in; null if they are very many. */
function passed({ start, steps }: Route): Set<number> | null {
  const found = new Set<number>();
  let [x, y] = start;
  for (const step of steps) {
    const [left, top, right, bottom] = widen([x, y, x, y], step);
    if (((right - left) / CELL) * ((bottom - top) / CELL) > FAR) return null;
    for (const cell of cells(left, top, right, bottom)) found.add(cell);
    if (found.size > FAR) return null;
    x = step[step.length - 2];
    y = step[step.length - 1];
  }
  return found;
}

function bounds({ start, steps }: Route): Extent {
  const [left, top, right, bottom] = steps.reduce(widen, [...start, ...start] as Extent);
  return [left - 4, top - 4, right + 4, bottom + 4];
}
