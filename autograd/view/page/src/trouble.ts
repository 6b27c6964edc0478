/** Where the first number came from that is not finite, and where it went. */

import type { Graph } from "./graph";
import { finite, float, isStats } from "./numbers";
import type { Num, Stats } from "./trace";

export interface Trouble {
  node: number;
  what: "data" | "gradient";
  /** "nan", "∞" … */
  kind: string;
  /** The nodes it went through, the first included. */
  path: Set<number>;
}

/** The first operation that made a number which is not finite from finite ones, or null. */
export function trouble(graph: Graph): Trouble | null {
  const { nodes } = graph;
  const first = nodes.findIndex(
    (node, i) => !finite(node.data) && graph.inputs(i).every((x) => finite(nodes[x].data)),
  );
  if (first >= 0) {
    const path = new Set([first]);
    nodes.forEach((node, i) => {
      if (!finite(node.data) && graph.inputs(i).some((x) => path.has(x))) path.add(i);
    });
    return { node: first, what: "data", kind: kind(nodes[first].data!), path };
  }
  for (const { node, parts } of graph.trace.events) {
    const bad = parts.find((part) => !finite(part.value));
    if (!bad || !finite(nodes[node].grad)) continue;
    const path = new Set([node]);
    for (const event of graph.trace.events)
      if (path.has(event.node))
        for (const part of event.parts) if (!finite(part.value)) path.add(part.input);
    return { node, what: "gradient", kind: kind(bad.value!), path };
  }
  return null;
}

function kind(x: Stats | Num): string {
  if (isStats(x)) return x.nan ? "nan" : "∞";
  return Number.isNaN(float(x)) ? "nan" : "∞";
}
