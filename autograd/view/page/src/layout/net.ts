/**
 * The picture as numbers: what the steps of the layout read and write.
 *
 * The port of `layout/net.py`.  Vertices 0 … boxes-1 are the boxes.  After them come *lanes*,
 * which carry an arrow through a layer that it has to cross, and *fillers*, which keep a cluster's
 * place in a layer where it has no member.  Every edge joins neighbouring layers, which is all
 * that ordering and placing must know.
 *
 * Coordinates are called `along` and `across` the direction of flow, and become x and y at the end.
 */

import { frame } from "../frame";
import type { Picture } from "../picture";
import { width } from "../text";
import { depths, type Edge, lists, range, ranks, turned } from "./ranks";

const LABEL = 14; // room for a label below a box
// Between two boxes, a box and a lane, two lanes: where data flow down, and to the right.
const [GAPS_DOWN, GAPS] = [[26, 14, 11], [16, 12, 10]];
// Limits to the lanes of a drawing, and to how many of them all its arrows pass.
const [LANES, LANES_PER_BOX] = [4000, 6];
const [STOPS, STOPS_PER_BOX] = [20_000, 60];

/** The working state of a layout; see the file's head for vertices and coordinates. */
export class Net {
  readonly boxes: number;
  along: number[]; // size of each vertex in the direction of flow
  across: number[]; // room in the other direction …
  solid: number[]; // … and how much of it the box itself takes
  label: number[]; // room that the label of outgoing arrows takes along
  lane: boolean[];
  before: number[][]; // neighbours in the layer before
  after: number[][];
  // clusters
  depth: number[];
  first: number[]; // first layer of each cluster; beyond `last` if it is empty
  last: number[];
  insideOut: number[]; // all clusters but the picture, the innermost first
  // arrows
  paths: number[][] = []; // vertices from end to end in layer order; one alone is a loop
  // what the steps find out
  rows: number[][] = []; // the vertices of each layer, in order
  at: number[] = []; // centre of each vertex across the flow
  /** Within what a cluster's frame must stay, by the first layer of its row and the cluster. */
  borders = new Map<number, Map<number, [number, number]>>();

  constructor(
    readonly down: boolean, // flow from top to bottom
    sizes: readonly { width: number; height: number }[],
    readonly home: number[], // innermost cluster of each vertex; cluster 0 is the picture
    readonly layer: number[],
    readonly light: boolean[], // lanes, fillers, parameters and constants, which make no trunk
    readonly parent: readonly number[],
    readonly titles: readonly number[], // width of the title; 0: none
    readonly turned: readonly boolean[], // whether the path runs against the arrow
  ) {
    const n = (this.boxes = home.length);
    this.along = sizes.map((f) => (down ? f.height : f.width));
    this.across = sizes.map((f) => (down ? f.width : f.height));
    this.solid = [...this.across];
    this.label = sizes.map(() => 0);
    this.lane = sizes.map(() => false);
    this.before = lists(n);
    this.after = lists(n);
    this.depth = depths(parent);
    this.first = parent.map(() => n);
    this.last = parent.map(() => -1);
    const clusters = range(parent.length).slice(1);
    this.insideOut = clusters.sort((c, d) => this.depth[d] - this.depth[c]);
  }

  /** The clusters around a vertex from the outermost to the innermost, without cluster 0. */
  ancestors(vertex: number): number[] {
    const found = [];
    for (let cluster = this.home[vertex]; cluster; cluster = this.parent[cluster]) {
      found.push(cluster);
    }
    return found.reverse();
  }

  /** The least distance between the centres of neighbours `a` and `b` of a layer. */
  gap(a: number, b: number): number {
    const lanes = Number(this.lane[a]) + Number(this.lane[b]);
    return (this.across[a] + this.across[b]) / 2 + (this.down ? GAPS_DOWN : GAPS)[lanes];
  }

  /** A new vertex without extent. */
  add(cluster: number, level: number, lane: boolean): number {
    for (const sizes of [this.along, this.across, this.solid, this.label]) sizes.push(0);
    this.home.push(cluster);
    this.layer.push(level);
    this.lane.push(lane);
    this.light.push(true);
    this.before.push([]);
    this.after.push([]);
    return this.home.length - 1;
  }
}

/** Measure and rank the boxes of `picture`, and give its long arrows their lanes. */
export function build(picture: Picture): Net {
  const down = picture.rankdir === "TB";
  const number = new Map(picture.boxes.map((box, i) => [box.key, i]));
  const clusterNumber = new Map(picture.clusters.map((cluster, i) => [cluster.key, i + 1]));
  const place = (key?: string | null) => (key ? clusterNumber.get(key)! : 0);
  const parent = [0, ...picture.clusters.map((c) => place(c.parent))];
  const home = picture.boxes.map((box) => place(box.cluster));
  const n = home.length;

  const arrows = picture.arrows.map(
    ({ tail, head }): Edge => [number.get(tail)!, number.get(head)!],
  );
  const circular = turned(n, arrows);
  const back = arrows.map(([a, b], i) => circular[i] && a !== b);
  const edges = arrows.map(([a, b], i): Edge => (back[i] ? [b, a] : [a, b]));
  const layer = ranks(home, parent, edges.filter(([a, b]) => a !== b));

  const light = picture.boxes.map((box) => box.kind === "parameter" || box.kind === "constant");
  const titles = [0, ...picture.clusters.map((c) => (c.title ? width(c.title, "title") + 20 : 0))];
  const net = new Net(down, picture.boxes.map(frame), home, layer, light, parent, titles, back);
  for (let box = 0; box < n; box++) stretch(net, box);
  picture.arrows.forEach((arrow, i) => {
    const [a, b] = edges[i];
    if (arrow.label) {
      const room = down ? LABEL : width(arrow.label, "word") + 10;
      net.label[a] = Math.max(net.label[a], room);
      if (down && !back[i]) { // the label stands beside the line
        net.across[a] = Math.max(net.across[a], 2 * width(arrow.label, "word") + 12);
      }
    }
    if (a === b) net.across[a] += 24; // a loop is drawn above the box
  });
  addLanes(net, edges);
  addFillers(net);
  let deepest = -1;
  for (const level of net.layer) deepest = Math.max(deepest, level);
  net.rows = lists(deepest + 1);
  net.layer.forEach((level, vertex) => net.rows[level].push(vertex));
  return net;
}

/** Let the spans of the clusters around `vertex` reach its layer. */
function stretch(net: Net, vertex: number): void {
  const level = net.layer[vertex];
  for (let cluster = net.home[vertex]; ; cluster = net.parent[cluster]) {
    net.first[cluster] = Math.min(net.first[cluster], level);
    net.last[cluster] = Math.max(net.last[cluster], level);
    if (!cluster) return;
  }
}

/**
 * Lead every edge through the layers between its ends.
 *
 * Edges from the same box share their lanes as far as they can, like a bus line with stops: one
 * weight used at a thousand time steps needs thousands of lanes, not millions.  A drawing has room
 * for so many; when it is used up, the longest edges go without lanes.
 */
function addLanes(net: Net, edges: readonly Edge[]): void {
  const levels = net.layer.reduce((most, level) => Math.max(most, level + 1), 0);
  const clusters = net.parent.length;
  const lanes = new Map<number, number>(); // by tail, layer and cluster
  const room = LANES + LANES_PER_BOX * net.boxes;
  let stops = STOPS + STOPS_PER_BOX * net.boxes;
  const ways = edges.map(([a]) => [a]);
  const lengths = edges.map(([a, b]) => net.layer[b] - net.layer[a]);
  for (const i of range(edges.length).sort((i, j) => lengths[i] - lengths[j])) {
    const [a, b] = edges[i];
    stops -= Math.max(lengths[i] - 1, 0);
    if (stops < 0 || lanes.size > room) break;
    let level = net.layer[a];
    for (const cluster of territory(net, a, b)) {
      level += 1;
      const key = (a * levels + level) * clusters + cluster;
      let lane = lanes.get(key);
      if (lane === undefined) lanes.set(key, (lane = net.add(cluster, level, true)));
      ways[i].push(lane);
    }
  }
  const size = net.home.length;
  const joined = new Set<number>();
  edges.forEach(([a, b], i) => {
    const path = ways[i];
    if (a !== b) path.push(b);
    net.paths.push(path);
    for (let k = 1; k < path.length; k++) {
      const [p, q] = [path[k - 1], path[k]];
      if (net.lane[q] ? net.before[q].includes(p) : joined.has(p * size + q)) continue;
      if (net.layer[q] === net.layer[p] + 1) {
        joined.add(p * size + q);
        net.after[p].push(q);
        net.before[q].push(p);
      }
    }
  });
}

/**
 * For each layer strictly between `a` and `b` the cluster whose ground is crossed.
 *
 * An edge leaves a cluster through its end and enters the next through its beginning, so that it
 * crosses no title and no foreign frame.
 */
function territory(net: Net, a: number, b: number): number[] {
  const { depth, parent, first, last } = net;
  let [out, into] = [net.home[a], net.home[b]];
  const entries = [];
  while (out !== into) {
    if (depth[into] >= depth[out]) {
      entries.push(into);
      into = parent[into];
    } else out = parent[out];
  }
  const common = into;
  let leaving = net.home[a];
  const crossed = [];
  for (let level = net.layer[a] + 1; level < net.layer[b]; level++) {
    while (leaving !== common && last[leaving] < level) leaving = parent[leaving];
    while (entries.length && first[entries[entries.length - 1]] <= level) into = entries.pop()!;
    crossed.push(leaving !== common ? leaving : into);
  }
  return crossed;
}

/** Give every cluster a vertex in every layer from its first to its last. */
function addFillers(net: Net): void {
  const present = net.parent.map(() => new Set<number>()); // the layers in which a cluster is
  const mark = (cluster: number, level: number) => {
    for (; cluster && !present[cluster].has(level); cluster = net.parent[cluster]) {
      present[cluster].add(level);
    }
  };
  net.home.forEach((cluster, vertex) => mark(cluster, net.layer[vertex]));
  for (const cluster of net.insideOut) {
    for (let level = net.first[cluster]; level <= net.last[cluster]; level++) {
      if (!present[cluster].has(level)) {
        net.add(cluster, level, false);
        mark(cluster, level);
      }
    }
  }
}
