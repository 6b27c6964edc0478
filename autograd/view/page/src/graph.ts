/** A trace with what it only implies: who reads whom, what to call each node, by which key. */

import { titles } from "./names";
import type { GraphTrace, OpInfo, TraceNode } from "./trace";

/** A name of so many letters is written into every ∂. */
const SHORT = 5;

export class Graph {
  readonly nodes: TraceNode[];
  /** For each node the nodes that read it. */
  readonly readers: number[][];
  readonly byKey = new Map<string, number>();
  /** What to call each node: no two have one name, but for equal constants. */
  readonly titles: string[];

  constructor(readonly trace: GraphTrace) {
    this.nodes = trace.nodes;
    this.readers = this.nodes.map(() => []);
    this.titles = titles(trace);
    this.nodes.forEach((node, i) => {
      this.byKey.set(node.key, i);
      for (const x of node.inputs ?? []) this.readers[x].push(i);
    });
  }

  inputs(i: number): number[] {
    return this.nodes[i].inputs ?? [];
  }

  op(i: number): OpInfo | undefined {
    const { op } = this.nodes[i];
    return op === undefined ? undefined : this.trace.ops[op];
  }

  /** What an operation computes, of its operands: "tanh(x)". */
  formula(i: number): string {
    return this.op(i)?.formula.replace(/^.*? = /, "") ?? "";
  }

  /** What an operation calls its operand number k; the last name may stand for all that follow. */
  operand(i: number, k: number): string {
    const names = this.op(i)?.inputs ?? [];
    return (names[k] ?? names.at(-1) ?? "").replace("*", "");
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
