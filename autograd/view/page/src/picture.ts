/**
 * A drawing before it is drawn: boxes, arrows and clusters, without pixels or file formats.
 *
 * The port of `autograd/view/picture.py`.  A picture says what is shown and in which words; where
 * things go is decided by `layout`.
 */

export const KINDS = ["value", "op", "parameter", "input", "output", "constant"] as const;
export type Kind = (typeof KINDS)[number];
export type Rankdir = "LR" | "TB";
/** One row of text in a box.  An array is a row of cells, such as `"data 2.0000"`. */
export type Row = string | readonly string[];

/** A picture that contradicts itself: an arrow to nowhere, two boxes of one key. */
export class PictureError extends Error {
  override name = "PictureError";
}

/**
 * One node of the drawing.
 *
 * `key` identifies it and is never shown.  The first of `lines` is its name, the others are
 * details; "" stands for no name.  `cluster` is the key of the innermost cluster that holds it.
 */
export interface Box {
  key: string;
  kind: Kind;
  lines: readonly Row[];
  cluster?: string | null;
  tooltip?: string;
}

/** From the box `tail` to the box `head`: data that flows forward, or a gradient back. */
export interface Arrow {
  tail: string;
  head: string;
  label?: string;
  kind?: "data" | "gradient";
}

/** A frame with a title around boxes and other clusters: a module and what it computed. */
export interface Cluster {
  key: string;
  title: string;
  parent?: string | null;
  tooltip?: string;
}

/**
 * What is to be drawn.  `rankdir` is the direction in which data flows: "LR" to the right, "TB"
 * down.  Arrows into one box are drawn in the order in which they are listed.
 */
export interface Picture {
  boxes: readonly Box[];
  arrows: readonly Arrow[];
  clusters: readonly Cluster[];
  rankdir: Rankdir;
}

/** The rows of a box, each as an array of cells. */
export function rowsOf(box: Box): (readonly string[])[] {
  return box.lines.map((line) => (typeof line === "string" ? [line] : line));
}

/** `picture`, or a `PictureError` where keys are used twice or lead nowhere. */
export function checked(picture: Picture): Picture {
  const boxes = distinct("boxes", picture.boxes);
  const clusters = distinct("clusters", picture.clusters);
  for (const box of picture.boxes) {
    if (!KINDS.includes(box.kind)) {
      const kinds = KINDS.join(", ");
      throw new PictureError(`box "${box.key}": no kind "${box.kind}"; there are ${kinds}`);
    }
    if (box.cluster != null && !clusters.has(box.cluster)) {
      throw new PictureError(`box "${box.key}": no cluster "${box.cluster}"`);
    }
  }
  for (const { tail, head } of picture.arrows) {
    for (const end of [tail, head]) {
      if (!boxes.has(end)) throw new PictureError(`arrow "${tail}" -> "${head}": no box "${end}"`);
    }
  }
  checkNesting(picture.clusters);
  return picture;
}

function checkNesting(clusters: readonly Cluster[]): void {
  const parents = new Map(clusters.map((cluster) => [cluster.key, cluster.parent]));
  const sound = new Set<string>();
  for (const key of parents.keys()) {
    const path = new Set<string>();
    let inner = key;
    let at: string | null | undefined = key;
    while (at != null && !sound.has(at)) {
      if (path.has(at)) {
        throw new PictureError(`cluster "${at}" lies inside itself: ${[...path].join(" in ")}`);
      }
      if (!parents.has(at)) {
        throw new PictureError(`cluster "${inner}": no cluster "${at}" to lie in`);
      }
      path.add(at);
      inner = at;
      at = parents.get(at);
    }
    for (const each of path) sound.add(each);
  }
}

/** The keys of `items`, or an error that names one used twice. */
function distinct(what: string, items: readonly { key: string }[]): Set<string> {
  const keys = new Set<string>();
  for (const { key } of items) {
    if (keys.has(key)) {
      throw new PictureError(`${what}: two of them have the key "${key}"; keys must differ`);
    }
    keys.add(key);
  }
  return keys;
}
