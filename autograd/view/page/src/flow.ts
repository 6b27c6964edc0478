/** What flows along an arrow: data forward, and back what its reader adds to their gradient. */

import type { App } from "./app";
import { chain, plainly } from "./contribution";
import { h } from "./dom";
import { inside } from "./fold";
import type { Graph } from "./graph";
import { dimensions, isStats, long, MISSING, ordinal } from "./numbers";
import { pretty } from "./parts";
import type { Line, Mark, Scene } from "./scene";
import type { Num, Stats } from "./trace";

/** A node is operand number `position` of its reader; null: it is the operation's own result. */
export interface Flow {
  node: number;
  reader: number | null;
  position: number;
}

/** So many flows between two modules are told. */
const FEW = 3;

/** All that flows along a line; one alone, but for lines between modules. */
export function along(scene: Scene, line: Line): Flow[] {
  const { fold } = scene;
  const { graph } = fold;
  const [tail, head] = ends(scene, line).map((mark) => mark.item);
  if (tail === head || graph.nodes[head.index]?.op === "part")
    return [{ node: head.index, reader: null, position: 0 }];
  const found: Flow[] = [];
  for (const reader of inside(head))
    graph.inputs(reader).forEach((node, position) => {
      if (fold.shown(node) === tail) found.push({ node, reader, position });
    });
  const same = scene
    .linesOf(line.arrow.tail)
    .filter(({ arrow }) => arrow.head === line.arrow.head);
  return same.length > 1 ? [found[same.indexOf(line)]] : found; // x · x has an arrow for each
}

/** The boxes at the two ends of a line. */
export function ends(scene: Scene, { arrow }: Line): [Mark, Mark] {
  return [scene.marks.get(arrow.tail)!, scene.marks.get(arrow.head)!];
}

/** Where a node is read: once for each operand that it is. */
export function readings(graph: Graph, node: number): Flow[] {
  return [...new Set(graph.readers[node])].flatMap((reader) =>
    graph
      .inputs(reader)
      .flatMap((x, position) => (x === node ? [{ node, reader, position }] : [])),
  );
}

/** What a reader adds to a node's gradient, in few words; "" where there is nothing to be said. */
export function adds(app: App, { reader, position }: Flow): string {
  const { timeline } = app.sheet.value;
  const found = timeline.contribution(reader!, position);
  if (!found || found.part.value === undefined) return "";
  return found.at > app.position.value ? MISSING : `adds ${sized(found.part.value)}`;
}

/** A line in words: from where to where, what, and the gradient that flows back along it. */
export function told(app: App, line: Line): HTMLElement[] {
  const scene = app.scene.value!;
  const flows = along(scene, line);
  const names = ends(scene, line).map((mark) => naming(app, mark, flows));
  const found = [h("b", {}, names.join(" → "))];
  if (flows.length === 1) return [...found, ...one(app, flows[0])];
  const { graph } = app.sheet.value;
  for (const flow of flows.slice(0, FEW))
    found.push(
      h("span", {}, [graph.titles[flow.node], shaped(graph, flow.node)].join(" ")),
      h("span", { class: "number faint" }, adds(app, flow)),
    );
  if (flows.length > FEW)
    found.push(h("span", { class: "faint" }, `and ${flows.length - FEW} more`));
  return found;
}

/** What an end is called: a pill by its result, or where that is the other end by its sign. */
function naming(app: App, { item, role }: Mark, flows: Flow[]): string {
  const { graph } = app.sheet.value;
  return role === "op" && flows[0].reader === null ? graph.symbol(item.index) : item.title;
}

function one(app: App, flow: Flow): HTMLElement[] {
  const { graph, timeline, trace } = app.sheet.value;
  const { node, reader, position } = flow;
  const say = (text: string, style = "number") => h("span", { class: style }, text);
  const found: HTMLElement[] = [];
  const op = reader === null ? undefined : graph.op(reader);
  if (op)
    found.push(
      say(`${graph.operand(reader!, position)} in ${pretty(graph.formula(reader!))}`, "faint"),
    );
  if (graph.nodes[node].shape) found.push(h("span", {}, shaped(graph, node)));
  const now = app.position.value;
  if (app.overlay.value)
    return [...found, ...app.overlay.value.words(node).map((text) => say(text))];
  const { data } = graph.nodes[node];
  if (data !== undefined)
    found.push(say(`data ${timeline.isComputed(node, now) ? sized(data) : MISSING}`));
  if (!trace.events.length) return found;
  if (reader === null) {
    const { value } = timeline.gradient(node, now);
    found.push(say(`${graph.partial(node)} = ${value === undefined ? MISSING : sized(value)}`));
    return found;
  }
  const back = timeline.contribution(reader, position);
  if (!back) return [...found, say("no gradient flows back", "faint")];
  const { part, event, at } = back;
  const sign = part.of > 1 ? "+=" : "=";
  const rule = `${graph.partial(node)} ${sign} ${chain(graph, event, part)}`;
  found.push(say(rule, "back"));
  if (at > now) return [...found, say(`${MISSING} not yet at this step`, "faint")];
  const arriving = graph.nodes[event.node].grad;
  if (part.local !== undefined && part.value !== undefined)
    found.push(say(`${plainly(part.value)} = ${plainly(arriving)} × ${long(part.local)}`));
  else if (part.value !== undefined) found.push(say(`${sign} ${sized(part.value)}`));
  if (part.of > 1) found.push(say(`${ordinal(part.nth)} of ${part.of} contributions`, "faint"));
  return found;
}

function shaped(graph: Graph, i: number): string {
  const { shape, dtype } = graph.nodes[i];
  return `${dimensions(shape)} ${dtype ?? ""}`.trim();
}

function sized(x: Stats | Num): string {
  return `${isStats(x) ? "norm " : ""}${plainly(x)}`;
}
