/** What to call each node: a name for each that no other has. */

import { subscript } from "./numbers";
import type { GraphTrace, TraceNode } from "./trace";

/**
 * The variable or path that a node has; its operation, where it has none: "tanh₁", "tanh₂".
 *
 * A variable that is assigned again is told apart as in the trace: "c", "c₂".  One of several
 * results goes by what it is a result of: "lstm.h".  Constants are the numbers they are.
 */
export function titles({ nodes, ops }: GraphTrace): string[] {
  const uses = new Map<string, number>();
  for (const { op } of nodes) if (op) uses.set(op, (uses.get(op) ?? 0) + 1);
  const counts = new Map<string, number>();
  const used = new Set<string>();
  const free = (wish: string, alone: boolean): string => {
    let title = wish;
    let nth = counts.get(wish) ?? 0;
    do {
      nth++;
      title = nth === 1 && alone ? wish : wish + subscript(nth);
    } while (used.has(title));
    counts.set(wish, nth);
    used.add(title);
    return title;
  };
  const found: string[] = [];
  nodes.forEach((node) => found.push(title(node)));
  return found;

  function title(node: TraceNode): string {
    const { name, op } = node;
    if (!op && !name && node.kind === "constant") return constant(node);
    if (!op) return free(name ?? node.key, true);
    if (op !== "part") return name ? free(name, true) : free(op, uses.get(op) === 1);
    const [of] = node.inputs!;
    const results = ops[nodes[of].op!]?.formula.split(" = ")[0].split(", ") ?? [];
    if (name && !results.includes(name)) return free(name, true);
    return free(`${found[of]}.${name ?? node.params ?? op}`, true);
  }
}

function constant({ data }: TraceNode): string {
  return typeof data === "number" ? String(Number(data.toPrecision(6))) : "constant";
}
