/** What the frames say about a training at a step, in words, where the numbers are clear. */

import { percent } from "../numbers";
import { said } from "./axis";
import { quantile, read, type Run } from "./run";

/** So many frames are looked at together: one step alone proves little. */
const WINDOW = 10;
/** Gradients that fade by this factor from the output to the input, layer by layer. */
const VANISHES = 1000;
/** How steadily they must fade: rank correlation of depth and size. */
const STEADY = 0.8;
/** Times as large as they were, by which gradients explode. */
const EXPLODES = 1000;
/** Times as large as at its beginning, by which the loss has grown, and from which frame on. */
const GROWN = 3;
const EARLY = 4;
/** Shares of the weights by which steps are far too large, or next to nothing. */
const LARGE = 0.1;
const SMALL = 1e-6;
const DEAD = 0.5;
const SATURATED = 0.6;
const CLIPPED = 0.8;

export interface Verdict {
  text: string;
  /** Whether nothing is wrong, as far as the frames tell. */
  calm: boolean;
}

export function verdict(run: Run, k: number): Verdict {
  if (!run.frames[k]) return { text: "", calm: true };
  const layers = depths(run);
  const found = [broken(run, k)];
  if (!found[0])
    found.push(
      grown(run, k),
      faded(run, k, layers),
      steps(run, k, layers),
      blocked(run, k),
      clipped(run, k),
    );
  const words = found.filter(Boolean);
  if (words.length) return { text: words.join(" "), calm: false };
  return { text: healthy(run, k, layers), calm: true };
}

/** The matrices of each layer, from the input to the output. */
function depths(run: Run): { name: string; parameters: number[] }[] {
  const matrix = (i: number) => run.header.parameters[i].shape.length > 1;
  const layers = run.layers.map(({ name, parameters }) => ({
    name,
    parameters: parameters.filter(matrix),
  }));
  return layers.filter(({ parameters }) => parameters.length);
}

/** The median over the last frames: null where there is no number. */
function recent(k: number, number: (k: number) => number | null): number | null {
  const values: number[] = [];
  for (let i = Math.max(0, k - WINDOW + 1); i <= k; i++) {
    const x = number(i);
    if (x !== null && Number.isFinite(x)) values.push(x);
  }
  return values.length
    ? quantile(
        values.sort((a, b) => a - b),
        0.5,
      )
    : null;
}

function broken(run: Run, k: number): string {
  const bad = (x: number | null) => x !== null && !Number.isFinite(x);
  const since = run.frames.findIndex(({ loss }, i) => i <= k && bad(read(loss)));
  const first = run.frames.findIndex(
    ({ gradient, weight }, i) => i <= k && [...gradient, ...weight].some((x) => bad(read(x))),
  );
  if (since < 0 && first < 0) return "";
  const layer = run.order.find((i) => bad(read(run.frames[first]?.gradient[i])));
  const words = [];
  if (since >= 0) words.push(`the loss is ${said(read(run.frames[since].loss))}`);
  if (layer !== undefined)
    words.push(`the gradient of ${run.header.parameters[layer].name} is not finite`);
  else if (first >= 0) words.push("weights are not finite");
  const step = run.frames[since < 0 || (first >= 0 && first < since) ? first : since].step;
  return `From step ${step} on ${words.join(", and ")}: nothing is learned any more.`;
}

function grown(run: Run, k: number): string {
  const words = [];
  const start = read(run.frames[0].loss);
  const now = recent(k, (i) => read(run.frames[i].loss));
  if (k >= EARLY && start !== null && now !== null && start > 0 && now > GROWN * start)
    words.push(`The loss, about ${said(now)}, is far above where it began, ${said(start)}.`);
  const norm = (i: number) => read(run.frames[i].norm);
  const large = recent(k, norm);
  const before = k >= 2 * WINDOW ? recent(k - WINDOW, norm) : null;
  const first = recent(Math.min(WINDOW - 1, k), norm);
  const usual = Math.max(before ?? 0, first ?? 0);
  if (k >= WINDOW && large !== null && usual > 0 && large > EXPLODES * usual)
    words.push(`The gradients explode: their norm, ${said(large)}, was about ${said(usual)}.`);
  return words.join(" ");
}

function faded(run: Run, k: number, layers: { name: string; parameters: number[] }[]): string {
  const sizes = layers.map(({ parameters }) =>
    recent(k, (i) => run.value(i, "gradient", parameters)),
  );
  const still = layers.filter((_, i) => sizes[i] === 0);
  if (still.length && still.length < layers.length) {
    const names = some(still.map(({ name }) => name));
    return `No gradient at all reaches the layers ${names}: it is exactly 0.`;
  }
  if (still.length && still.length === layers.length)
    return "The gradients of all weight matrices are exactly 0.";
  const logs = sizes.filter((x): x is number => x !== null && x > 0).map(Math.log10);
  if (logs.length < 3) return "";
  const third = Math.max(1, Math.floor(logs.length / 3));
  const middle = (some: number[]) =>
    quantile(
      some.toSorted((a, b) => a - b),
      0.5,
    );
  const factor = 10 ** (middle(logs.slice(-third)) - middle(logs.slice(0, third)));
  if (factor < VANISHES || correlation(logs) < STEADY) return "";
  return (
    `Gradients vanish towards the input, by a factor of about ${rough(factor)} ` +
    `from layer ${layers.at(-1)!.name} to layer ${layers[0].name}.`
  );
}

function steps(run: Run, k: number, layers: { parameters: number[] }[]): string {
  const usual = ratio(run, k, layers);
  if (usual === null || !(run.frames[k].lr ?? 1)) return "";
  const above = ", far above the usual 10⁻³: a lower learning rate may help.";
  if (usual > 1) return `Steps are about ${rough(usual)} times as large as the weights${above}`;
  if (usual > LARGE) return `Steps are about ${rough(usual)} of the weights${above}`;
  if (usual && usual < SMALL)
    return `Steps are about ${rough(usual)} of the weights, far below the usual 10⁻³.`;
  return "";
}

/** The usual update of a layer, by its weights. */
function ratio(run: Run, k: number, layers: { parameters: number[] }[]): number | null {
  const found = layers
    .map(({ parameters }) => recent(k, (i) => run.value(i, "update", parameters)))
    .filter((x) => x !== null);
  return found.length
    ? quantile(
        found.sort((a, b) => a - b),
        0.5,
      )
    : null;
}

function blocked(run: Run, k: number): string {
  const probe = run.earlier(k, "probe")?.probe;
  const dead: string[] = [];
  const saturated: string[] = [];
  run.header.activations.forEach(({ name, kind }, i) => {
    const facts = probe?.activations[i];
    if (!facts) return;
    const where = `${kind} ${name.split("/")[0]}`;
    if (facts.dead >= DEAD) dead.push(`${percent(facts.dead)} of the units of ${where}`);
    else if (kind !== "relu" && facts.saturated >= SATURATED)
      saturated.push(`${percent(facts.saturated)} of the outputs of ${where}`);
  });
  const list = (what: string, all: string[]) => {
    if (!all.length) return "";
    return `${what}: ${some(all)}.`;
  };
  return [list("Dead", dead), list("Saturated", saturated)].filter(Boolean).join(" ");
}

function clipped(run: Run, k: number): string {
  const frames = run.frames.slice(Math.max(0, k - WINDOW + 1), k + 1);
  const many = frames.filter((frame) => frame.clipped).length;
  return frames.length === WINDOW && many >= CLIPPED * WINDOW
    ? `The gradient was clipped at ${many} of the last ${WINDOW} recorded steps.`
    : "";
}

function healthy(run: Run, k: number, layers: { parameters: number[] }[]): string {
  const sizes = layers
    .map(({ parameters }) => recent(k, (i) => run.value(i, "gradient", parameters)))
    .filter((x): x is number => !!x);
  const usual = ratio(run, k, layers);
  const words = ["Nothing conspicuous."];
  if (sizes.length > 1) {
    const apart = Math.max(...sizes) / Math.min(...sizes);
    words.push(
      `Gradients of the layers lie within a factor of ${said(Number(apart.toPrecision(2)))}`,
    );
    words[1] += usual === null ? "." : `, steps are about ${rough(usual)} of the weights.`;
  }
  return words.join(" ");
}

function rough(x: number): string {
  return said(Number(x.toPrecision(1)));
}

/** The first three of a list. */
function some(all: string[]): string {
  return all.slice(0, 3).join(", ") + (all.length > 3 ? ` and ${all.length - 3} more` : "");
}

/** Spearman's rank correlation of numbers with their places. */
function correlation(numbers: number[]): number {
  const n = numbers.length;
  const ranks = numbers.map((_, i) => i).sort((a, b) => numbers[a] - numbers[b]);
  const away = ranks.reduce((sum, place, rank) => sum + (place - rank) ** 2, 0);
  return 1 - (6 * away) / (n * (n * n - 1));
}
