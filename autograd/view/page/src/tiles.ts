/** An array of three or four axes as tiles, such as the images of a batch, side by side. */

import type { Board } from "./heatmap";
import type { Preview } from "./trace";

const HIGH = 240; // px that all rows of tiles may take
const LARGEST = 26; // px of the side of an element
const LEAST = 2;
const GAP = 3; // px between tiles

/** Tiles in so many rows and columns. */
interface Grid {
  down: number;
  across: number;
  side: number;
}

export function tiled(preview: Preview, wide: number): Board {
  const shape = preview.shape!;
  const [a, b] = preview.tile!;
  const picks = grid(preview);
  const others = shape.map((_, axis) => axis).filter((axis) => axis !== a && axis !== b);
  const [high, broad] = [picks[a].length, picks[b].length];
  const many = others.filter((axis) => shape[axis] > 1);
  const counts = many.map((axis) => picks[axis].length);
  const fit = (down: number, across: number): Grid => {
    const room = (all: number, tiles: number, each: number) =>
      Math.floor((all - GAP * (tiles - 1)) / (tiles * each));
    const side = Math.min(LARGEST, room(wide, across, broad), room(HIGH, down, high));
    return { down, across, side: Math.max(LEAST, side) };
  };
  const product = counts.reduce((x, y) => x * y, 1);
  const options =
    many.length === 2
      ? [fit(counts[0], counts[1]), fit(counts[1], counts[0])]
      : Array.from({ length: product }, (_, k) => fit(Math.ceil(product / (k + 1)), k + 1));
  const best = options.reduce((x, y) => (y.side > x.side ? y : x));
  const turned = many.length === 2 && best === options[1];
  const { down, across, side } = best;
  /** The place in the array of an element on the board, as places in `picks`. */
  const index = (i: number, j: number): number[] | undefined => {
    const [p, q] = [Math.floor(i / high), Math.floor(j / broad)];
    const found: number[] = shape.map(() => 0);
    [found[a], found[b]] = [i % high, j % broad];
    if (many.length === 2) [found[many[0]], found[many[1]]] = turned ? [q, p] : [p, q];
    else if (p * across + q >= product) return undefined;
    else if (many.length) found[many[0]] = p * across + q;
    return found;
  };
  const last = shape.length - 1;
  const all = many.map((axis) => shape[axis]).join(" × ") || "1";
  const some = counts.join(" × ") || "1";
  const count = some === all ? all : `${some} of ${all}`;
  const tiles = `${count} tile${all === "1" ? "" : "s"} of ${high}×${broad}`;
  const lie = many.length === 2 ? [...many].sort((x) => (x === many[turned ? 0 : 1] ? -1 : 1)) : [];
  return {
    side,
    left: places(across, broad, side),
    top: places(down, high, side),
    value(i, j) {
      const at = index(i, j);
      if (!at) return undefined;
      const row = at.slice(0, last).reduce((sum, k, axis) => sum * picks[axis].length + k, 0);
      return preview.values[row][at[last]];
    },
    place: (i, j) => `[${index(i, j)!.map((k, axis) => picks[axis][k]).join(", ")}]`,
    size: tiles,
    shown: lie.length ? `${tiles}, axis ${lie[0]} →, ${lie[1]} ↓` : tiles,
  };
}

/** The places along each axis that a preview has elements of. */
function grid({ rows, cols, shape }: Preview): number[][] {
  const found: number[][] = shape!.slice(0, -1).map(() => []);
  for (let row of rows)
    for (let axis = found.length; axis--; row = Math.floor(row / shape![axis])) {
      const at = row % shape![axis];
      if (!found[axis].includes(at)) found[axis].push(at);
    }
  return [...found.map((places) => places.sort((x, y) => x - y)), cols];
}

/** Where each element begins along an axis of the board, and where the last one ends. */
function places(tiles: number, each: number, side: number): number[] {
  const found = Array.from(
    { length: tiles * each },
    (_, i) => i * side + GAP * Math.floor(i / each),
  );
  return [...found, found[found.length - 1] + side];
}
