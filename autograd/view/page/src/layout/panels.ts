/**
 * The frames of clusters: how far each reaches across, in each row of a drawing.
 *
 * The port of `layout/panels.py`.
 */

import { FRAME, TITLE } from "./demands";
import type { Net } from "./net";

/** By row and cluster: where its frame begins and ends across.  Cluster 0 is the row itself. */
export type Breadths = Map<number, [number, number]>[];

/**
 * Fit a frame around the members of each cluster, from the innermost cluster to the picture.
 *
 * `begins` are the first layers of the rows.  Across the flow a frame is as narrow as its members
 * allow, but wide enough for its title; `place` has left room for that.
 */
export function breadths(net: Net, begins: readonly number[]): Breadths {
  return begins.map((begin, row) => {
    const found = new Map<number, [number, number]>();
    const reach = (cluster: number, top: number, low: number) => {
      const known = found.get(cluster) ?? [Infinity, -Infinity];
      found.set(cluster, [Math.min(known[0], top), Math.max(known[1], low)]);
    };
    for (const layer of net.rows.slice(begin, begins[row + 1])) {
      for (const v of layer) {
        const half = net.across[v] / 2;
        reach(net.home[v], net.at[v] - half, net.at[v] + half);
      }
    }
    for (const cluster of net.insideOut) {
      const inner = found.get(cluster);
      if (!inner) continue;
      const title = net.titles[cluster];
      let [top, low] = [inner[0] - FRAME, inner[1] + FRAME];
      if (!net.down) top -= title ? TITLE : 0;
      else if (title > low - top) {
        const [upper, lower] = net.borders.get(begin)!.get(cluster)!;
        top = Math.max(upper, Math.min((top + low - title) / 2, lower - title));
        low = top + title;
      }
      found.set(cluster, [top, low]);
      reach(net.parent[cluster], top, low);
    }
    return found;
  });
}
