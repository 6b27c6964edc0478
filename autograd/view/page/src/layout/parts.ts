/**
 * Pictures in several parts that nothing joins: each is laid out alone, then all are set together.
 *
 * The port of `layout/parts.py`.  A parameter that the loss does not reach is such a part, and so
 * is the graph of a second loss.
 */

import type { Picture } from "../picture";
import type { Layout, Panel, Rect, Route } from "./plan";
import { range } from "./ranks";

const SHELF = 900; // the least width that boxes side by side may take up
const SPACE = 36; // between parts

/** A part of a picture, and the places of its arrows among all arrows. */
export type Part<What> = [What, number[]];

/**
 * The parts of `picture`, each with the places of its arrows among all arrows.
 *
 * Boxes belong together if arrows join them or a cluster holds them.
 */
export function split(picture: Picture): Part<Picture>[] {
  const { boxes, arrows, clusters } = picture;
  const number = new Map(boxes.map((box, i) => [box.key, i]));
  const clusterNumber = new Map(clusters.map((cluster, i) => [cluster.key, boxes.length + i]));
  const chief = range(boxes.length + clusters.length); // towards the one that stands for the part
  const find = (item: number) => {
    while (chief[item] !== item) item = chief[item] = chief[chief[item]];
    return item;
  };
  const join = (a: number, b: number) => (chief[find(a)] = find(b));

  clusters.forEach(({ parent }, i) => {
    if (parent != null) join(boxes.length + i, clusterNumber.get(parent)!);
  });
  boxes.forEach(({ cluster }, i) => {
    if (cluster != null) join(i, clusterNumber.get(cluster)!);
  });
  for (const { tail, head } of arrows) join(number.get(tail)!, number.get(head)!);

  const members = new Map<number, { boxes: number[]; arrows: number[]; clusters: number[] }>();
  boxes.forEach((_, i) => {
    const part = members.get(find(i));
    if (part) part.boxes.push(i);
    else members.set(find(i), { boxes: [i], arrows: [], clusters: [] });
  });
  if (members.size < 2) return [[picture, range(arrows.length)]];
  arrows.forEach(({ tail }, i) => members.get(find(number.get(tail)!))!.arrows.push(i));
  clusters.forEach((_, i) => members.get(find(boxes.length + i))?.clusters.push(i));
  return [...members.values()].map((part) => [
    {
      ...picture,
      boxes: part.boxes.map((i) => boxes[i]),
      arrows: part.arrows.map((i) => arrows[i]),
      clusters: part.clusters.map((i) => clusters[i]),
    },
    part.arrows,
  ]);
}

/** Set single boxes side by side in rows, and everything else below each other. */
export function assemble(picture: Picture, parts: readonly Part<Layout>[]): Layout {
  if (parts.length === 1) return parts[0][0];
  let shelf = SHELF;
  for (const [part] of parts) shelf = Math.max(shelf, part.width);
  let [x, y, deep, width] = [0, 0, 0, 0];
  let beside = false; // whether the part before may have a neighbour
  const boxes = new Map<string, Rect>();
  const layers = new Map<string, number>();
  const routes: Route[] = picture.arrows.map(() => ({ start: [0, 0], steps: [], label: null }));
  const clusters = new Map<string, Panel[]>(picture.clusters.map(({ key }) => [key, []]));
  for (const [part, places] of parts) {
    const lone = part.boxes.size === 1;
    if (x && (x + part.width > shelf || !lone || !beside)) [x, y, deep] = [0, y + deep + SPACE, 0];
    beside = lone;
    for (const [key, rect] of part.boxes) boxes.set(key, { ...rect, x: rect.x + x, y: rect.y + y });
    for (const [key, panels] of part.clusters) {
      clusters.set(
        key,
        panels.map((p) => ({ ...p, x: p.x + x, y: p.y + y, titleX: p.titleX + x })),
      );
    }
    part.routes.forEach((route, i) => (routes[places[i]] = moved(route, x, y)));
    for (const [key, layer] of part.layers) layers.set(key, layer);
    width = Math.max(width, x + part.width);
    deep = Math.max(deep, part.height);
    x += part.width + SPACE;
  }
  return {
    width,
    height: y + deep,
    boxes: new Map(picture.boxes.map(({ key }) => [key, boxes.get(key)!])),
    layers: new Map(picture.boxes.map(({ key }) => [key, layers.get(key)!])),
    routes,
    clusters,
  };
}

function moved(route: Route, x: number, y: number): Route {
  return {
    start: [route.start[0] + x, route.start[1] + y],
    steps: route.steps.map((step) => step.map((n, i) => n + (i % 2 ? y : x))),
    label: route.label && [route.label[0] + x, route.label[1] + y],
  };
}
