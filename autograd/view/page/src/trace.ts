/** The data of a page, as Python writes it: see `autograd/view/trace`.  Absent means default. */

/** JSON has no NaN and no infinities. */
export type Num = number | "nan" | "inf" | "-inf";

export interface Hist {
  /** Counts by sign and power of two: positive[i] counts 2^(first+i) ≤ x < 2^(first+i+1). */
  first: number;
  negative: number[];
  zero: number;
  positive: number[];
}

export interface Preview {
  rows: number[];
  cols: number[];
  values: Num[][];
  /** Of the array, where the elements are whole tiles of it: a grid along every axis. */
  shape?: number[];
  /** The axes that are rows and columns of a tile. */
  tile?: [number, number];
}

export interface Stats {
  norm: Num;
  mean: Num;
  std: Num;
  min: Num;
  max: Num;
  /** Share of exact zeros, 0 … 1. */
  zeros: number;
  nan: number;
  inf: number;
  hist: Hist;
  preview?: Preview;
}

export interface Scope {
  key: string;
  name: string;
  path: string;
  parent: number;
  module: boolean;
  where?: string;
  /** Equal numbers: the same operations, shapes and wiring inside. */
  alike: number;
}

export interface TraceNode {
  key: string;
  kind: "value" | "parameter" | "input" | "output" | "constant";
  name?: string;
  op?: string;
  /** How the operation is written, where that depends on its params: "^3". */
  symbol?: string;
  params?: string;
  inputs?: number[];
  scope?: number;
  shape?: number[];
  dtype?: string;
  where?: string;
  requires_grad?: boolean;
  data?: Stats | Num;
  grad?: Stats | Num;
  /** Bytes of the data that are kept for the backward pass. */
  held?: number;
  /** How many results the operation has, each a node of its own with the op "part". */
  parts?: number;
}

export interface OpInfo {
  symbol: string;
  doc: string;
  inputs: string[];
  formula: string;
  /** Per input, with g = ∂L/∂z and z the result; null: no gradient flows. */
  rules: (string | null)[];
}

/** What an operation adds to the gradient of one of its inputs. */
export interface Part {
  input: number;
  position: number;
  local?: Num;
  value?: Stats | Num;
  /** The nth of so many contributions to this input. */
  nth: number;
  of: number;
  total?: Stats | Num;
}

export interface Event {
  node: number;
  parts: Part[];
}

export interface Excerpt {
  first: number;
  lines: string[];
}

export interface GraphTrace {
  format: "glassgrad-trace";
  version: 1;
  title: string;
  kind: "values" | "tensors" | "program";
  made: { glassgrad: string; python: string; backend: string };
  root?: number;
  scopes: Scope[];
  nodes: TraceNode[];
  ops: { [op: string]: OpInfo };
  events: Event[];
  notes: string[];
  sources: { [label: string]: Excerpt[] };
}

export interface Code {
  text: string;
  lines: number[][];
}

export interface Colours {
  [name: string]: string;
}

export interface Palette {
  light: Colours;
  dark: Colours;
  heat: { light: string[]; dark: string[] };
}

/** A recorded training: `replay/run.ts` knows more of it. */
export interface Recorded {
  header: object;
  frames: object[];
  other?: Recorded;
}

/** Addresses of a server on this machine: events that it sends, wishes that it takes. */
export interface Live {
  events: string;
  control?: string;
}

export interface Payload {
  format: "glassgrad-page";
  version: 1;
  title: string;
  traces: GraphTrace[];
  code?: Code;
  palette: Palette;
  run?: Recorded;
  live?: Live;
}

/** The payload of this page: plain JSON, or gzip in base64 where it is large. */
export async function payload(): Promise<Payload> {
  const holder = document.getElementById("glassgrad-data")!;
  const text = holder.textContent!.trim();
  if (!holder.getAttribute("type")!.includes("gzip")) return whole(JSON.parse(text));
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return whole(await new Response(stream).json());
}

/** A payload with the lists that Python leaves out where they are empty. */
function whole(payload: Payload): Payload {
  if (!payload.traces.length)
    payload.traces.push({
      title: payload.title,
      kind: "tensors",
      nodes: [],
    } as unknown as GraphTrace);
  payload.traces.forEach(complete);
  return payload;
}

export function complete(trace: GraphTrace): GraphTrace {
  trace.scopes ??= [];
  trace.events ??= [];
  trace.notes ??= [];
  trace.ops ??= {};
  trace.sources ??= {};
  for (const { parts } of trace.events)
    for (const part of parts) {
      part.nth ??= 1;
      part.of ??= 1;
    }
  return trace;
}
