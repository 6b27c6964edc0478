/** A trace with what it only implies: who reads whom, what to call each node, by which key. */

import { subscript } from "./numbers";
import type { GraphTrace, OpInfo, TraceNode } from "./trace";

/** A name of so many letters is written into every ∂. */
const SHORT = 5;

export class Graph {
  readonly nodes: TraceNode[];
  /** For each node the nodes that read it. */
  readonly readers: number[][];
  readonly byKey = new Map<string, number>();
  /** What to call each node: its name, or else its operation. */
  readonly titles: string[];

  constructor(readonly trace: GraphTrace) {
    this.nodes = trace.nodes;
    this.readers = this.nodes.map(() => []);
    const uses = new Map<string, number>();
    for (const node of this.nodes) if (node.op) uses.set(node.op, (uses.get(node.op) ?? 0) + 1);
    const met = new Map<string, number>();
    this.titles = this.nodes.map((node, i) => {
      this.byKey.set(node.key, i);
      for (const x of node.inputs ?? []) this.readers[x].push(i);
      if (node.name) return node.name;
      if (!node.op) return node.kind === "constant" ? this.constant(node) : node.key;
      const nth = (met.get(node.op) ?? 0) + 1;
      met.set(node.op, nth);
      return uses.get(node.op) === 1 ? node.op : node.op + subscript(nth);
    });
  }

  private constant(node: TraceNode): string {
    const { data } = node;
    return typeof data === "number" ? String(Number(data.toPrecision(6))) : "constant";
  }

  inputs(i: number): number[] {
    return this.nodes[i].inputs ?? [];
  }

  op(i: number): OpInfo | undefined {
    const { op } = this.nodes[i];
    return op === undefined ? undefined : this.trace.ops[op];
  }

  /** How an operation is written in its pill. */
  symbol(i: number): string {
    const node = this.nodes[i];
    return node.symbol ?? this.op(i)?.symbol ?? node.op ?? "";
  }

  /** The path of the module that computed a node: "encoder.3". */
  path(i: number): string {
    const scope = this.trace.scopes[this.nodes[i].scope ?? -1];
    return scope === undefined ? "" : scope.path || scope.name;
  }

  /** How ∂L/∂x is written; the L is the root's own name where that is short. */
  partial(i: number): string {
    return `∂${this.end}/∂${this.titles[i]}`;
  }

  private get end(): string {
    const { root } = this.trace;
    const name = root === undefined ? undefined : this.nodes[root].name;
    return name && name.length <= SHORT ? name : "L";
  }
}
