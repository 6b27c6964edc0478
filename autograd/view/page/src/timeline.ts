/** The backward pass as a line of positions, and what is known at each of them.
 *
 *     0 … F            the first so many operations have computed their data
 *     F + 1            the root's gradient is 1
 *     F + 1 + k        the first k events of the backward pass have happened
 *
 * Nothing is replayed: every gradient is found from the number of contributions that have arrived.
 */

import type { Graph } from "./graph";
import { float } from "./numbers";
import type { Event, Num, Part, Stats } from "./trace";

export interface Gradient {
  state: "none" | "partial" | "complete";
  value?: Stats | Num;
  /** So many contributions have arrived, of so many. */
  nth: number;
  of: number;
}

export type Moment =
  | { phase: "start" }
  | { phase: "forward"; node: number }
  | { phase: "seed"; node: number }
  | { phase: "backward"; node: number; event: Event };

/** Over so many steps it is not followed what has changed. */
const FEW = 300;
const NOTHING: Gradient = { state: "none", nth: 0, of: 0 };

export class Timeline {
  /** The operations in their order. */
  readonly forward: number[] = [];
  readonly events: Event[];
  readonly length: number;
  /** Position at which each node has its data. */
  private readonly computed: number[];
  private readonly arrivals: { at: number; part: Part; total?: Stats | Num }[][];
  /** Position of the backward step of each node. */
  private readonly step = new Map<number, number>();

  constructor(readonly graph: Graph) {
    const { nodes, trace } = graph;
    this.events = trace.root === undefined ? [] : trace.events;
    this.computed = nodes.map((node, i) => {
      if (node.op && node.op !== "part") this.forward.push(i);
      return node.op ? this.forward.length : 0;
    });
    this.length = this.events.length ? this.seed + this.events.length : this.forward.length;
    this.arrivals = nodes.map(() => []);
    this.events.forEach(({ node, parts }, k) => {
      this.step.set(node, this.seed + 1 + k);
      for (const part of parts) this.arrive(part, this.seed + 1 + k);
    });
  }

  private arrive(part: Part, at: number): void {
    const before = this.arrivals[part.input];
    const last = before.at(-1)?.total;
    let total = part.total ?? (part.nth === 1 ? part.value : undefined);
    if (part.nth === part.of) total = this.graph.nodes[part.input].grad ?? total;
    if (typeof part.value !== "object" && part.value !== undefined && typeof last !== "object")
      total = last === undefined ? part.value : num(float(last) + float(part.value));
    before.push({ at, part, total });
  }

  /** The position at which the root's gradient is set. */
  get seed(): number {
    return this.forward.length + 1;
  }

  /** The position of a node's own step backward, or where it has none, forward. */
  of(node: number): number {
    return this.step.get(node) ?? this.arrivals[node].at(-1)?.at ?? this.computed[node];
  }

  /** The position at which a node has its data. */
  forwardOf(node: number): number {
    return this.computed[node];
  }

  /** What happens at a position; the last one stands for all behind it. */
  at(position: number): Moment {
    position = Math.min(position, this.length);
    if (position === 0) return { phase: "start" };
    if (position < this.seed) return { phase: "forward", node: this.forward[position - 1] };
    if (position === this.seed) return { phase: "seed", node: this.graph.trace.root! };
    const event = this.events[position - this.seed - 1];
    return { phase: "backward", node: event.node, event };
  }

  /** The nodes of which something else is known at one position than at another; null where that may
   * be any. */
  between(one: number, other: number): number[] | null {
    const [from, to] = one < other ? [one, other] : [other, one];
    if (to >= this.length || to - from > FEW) return null;
    const found: number[] = [];
    for (let at = from + 1; at <= to; at++) {
      const moment = this.at(at);
      if (moment.phase === "backward") found.push(...moment.event.parts.map(({ input }) => input));
      else if (moment.phase !== "start") {
        found.push(moment.node);
        if (this.graph.nodes[moment.node].parts) found.push(...this.graph.readers[moment.node]);
      }
    }
    return found;
  }

  isComputed(node: number, position: number): boolean {
    return this.computed[node] <= position;
  }

  gradient(node: number, position: number): Gradient {
    const { root } = this.graph.trace;
    const { grad } = this.graph.nodes[node];
    if (position >= this.length)
      return grad === undefined ? NOTHING : { state: "complete", value: grad, nth: 0, of: 0 };
    if (node === root && position >= this.seed && this.events.length)
      return { state: "complete", value: grad ?? 1, nth: 1, of: 1 };
    const arrivals = this.arrivals[node];
    let nth = 0;
    while (nth < arrivals.length && arrivals[nth].at <= position) nth++;
    if (nth === 0) return NOTHING;
    const { part, total } = arrivals[nth - 1];
    const state = nth === part.of ? "complete" : "partial";
    return { state, value: total, nth, of: part.of };
  }

  /** What an operation adds to the gradient of one of its operands, and at which position. */
  contribution(
    node: number,
    operand: number,
  ): { at: number; event: Event; part: Part } | undefined {
    const at = this.step.get(node);
    if (at === undefined) return undefined;
    const event = this.events[at - this.seed - 1];
    const part = event.parts.find(({ position }) => position === operand);
    return part && { at, event, part };
  }

  /** What an input's gradient was before a contribution, and is after it. */
  around(part: Part): { before?: Stats | Num; after?: Stats | Num } {
    const arrivals = this.arrivals[part.input];
    const place = arrivals.findIndex((arrival) => arrival.part === part);
    return { before: arrivals[place - 1]?.total, after: arrivals[place]?.total };
  }

  /** The nodes of single numbers whose contributions do not add up to the gradient of the trace. */
  disagreements(): { key: string; sum: Num; grad: Num }[] {
    const found: { key: string; sum: Num; grad: Num }[] = [];
    this.graph.nodes.forEach(({ key, grad }, i) => {
      const sum = this.arrivals[i].at(-1)?.total;
      if (grad === undefined || typeof grad === "object" || sum === undefined) return;
      if (!Object.is(float(sum as Num) + 0, float(grad) + 0))
        found.push({ key, sum: sum as Num, grad });
    });
    return found;
  }
}

function num(x: number): Num {
  return Number.isFinite(x) ? x : Number.isNaN(x) ? "nan" : x > 0 ? "inf" : "-inf";
}
