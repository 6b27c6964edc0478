/** Two steps of a run, or two runs at a step: where gradients have grown, and where faded. */

import { button, h } from "../dom";
import { diverging } from "../heatmap";
import { read, type Run } from "./run";
import { MEASURES, STRONGEST, told } from "./scale";
import type { Replay } from "./state";

const MOST = 12; // lines of the list, until all are asked for

/** One side of a comparison: a frame of a run. */
export interface Side {
  run: Run;
  k: number;
}

/** What the current frame is compared with; null where nothing is. */
export function other(replay: Replay): Side | null {
  const against = replay.against.value;
  if (!against) return null;
  const run = against === "other" ? replay.other! : replay.run;
  const k = Math.max(0, run.before(against === "other" ? replay.step : against.step));
  return run.frames.length ? { run, k } : null;
}

/** log₂ of how many times larger `b` is than `a`: null where one is missing or 0. */
export function change(a: number | null, b: number | null): number | null {
  const ratio = a !== null && b !== null ? Math.log2(b / a) : NaN;
  return Number.isFinite(ratio) ? ratio : null;
}

/** How the parameters have changed, by name; those that only one of the runs has are null. */
export function changes(replay: Replay, a: Side, b: Side): { [name: string]: number | null } {
  const found: { [name: string]: number | null } = {};
  const measure = replay.measure.value;
  for (const { header } of [b.run, a.run])
    for (const { name } of header.parameters) {
      const [i, j] = [a.run.index(name), b.run.index(name)];
      const there = i >= 0 && j >= 0;
      found[name] = there
        ? change(a.run.value(a.k, measure, [i]), b.run.value(b.k, measure, [j]))
        : null;
    }
  return found;
}

/** The nodes that only one of two runs has, and the parameters that have another shape. */
export function structure(
  before: Run,
  now: Run,
): { added: string[]; removed: string[]; reshaped: string[] } {
  const both = before.header.keys && now.header.keys;
  const keys = ({ header }: Run) =>
    new Set([...header.parameters.map(({ name }) => name), ...((both && header.keys) || [])]);
  const [old, fresh] = [keys(before), keys(now)];
  const shape = (run: Run, name: string) => String(run.header.parameters[run.index(name)]?.shape);
  return {
    added: [...fresh].filter((key) => !old.has(key)),
    removed: [...old].filter((key) => !fresh.has(key)),
    reshaped: [...fresh].filter((key) => old.has(key) && shape(before, key) !== shape(now, key)),
  };
}

export function comparison(replay: Replay): HTMLElement {
  const choice = h("select", { "aria-label": "Compare with" });
  const list = h("ol", { class: "changes" });
  const words = h("p", { class: "faint" });
  const all = button(
    "Show all",
    "Show all parameters",
    () => {
      whole = true;
      refresh();
    },
    { class: "plain" },
  );
  const pin = button(
    "Compare with this step",
    "Keep this step, to compare others with it",
    () => replay.against.set({ step: replay.step }),
    { class: "plain" },
  );
  let whole = false;
  const box = h(
    "section",
    { class: "comparison", "aria-label": "Comparison" },
    h("p", { class: "actions" }, pin, choice),
    words,
    list,
    all,
  );
  choice.addEventListener("change", () => {
    replay.against.set(
      choice.value === "other"
        ? "other"
        : choice.value === ""
          ? null
          : { step: Number(choice.value) },
    );
  });
  const refresh = () => {
    const against = replay.against.value;
    const option = (value: string | number, text: string, selected: boolean) =>
      h("option", { value, selected }, text);
    choice.replaceChildren(
      option("", "compared with nothing", !against),
      ...(against && against !== "other"
        ? [option(against.step, `compared with step ${against.step.toLocaleString("en")}`, true)]
        : []),
      ...(replay.other
        ? [
            option(
              "other",
              `compared with the other run, ${replay.other.header.title}`,
              against === "other",
            ),
          ]
        : []),
    );
    choice.hidden = !against && !replay.other;
    const a = other(replay);
    for (const part of [words, list, all]) part.hidden = !a;
    if (!a || !replay.frame) return;
    const b = { run: replay.run, k: replay.at.value };
    const { added, removed, reshaped } = structure(a.run, b.run);
    const measure = replay.measure.value;
    const said = (keys: string[], what: string) =>
      keys.length
        ? ` ${keys.length} ${what}: ${keys.slice(0, 5).join(", ")}${keys.length > 5 ? " …" : ""}.`
        : "";
    const when = ({ run, k }: Side) => `step ${run.frames[k].step.toLocaleString("en")}`;
    const whose = against === "other" ? " of the other run" : "";
    words.textContent =
      `${MEASURES[measure]} at ${when(b)}, by that${whose} at ${when(a)}.` +
      said(added, "only here") +
      said(removed, "only there") +
      said(reshaped, "of another shape");
    const sorted = Object.entries(changes(replay, a, b))
      .filter((entry): entry is [string, number] => entry[1] !== null)
      .sort((one, two) => Math.abs(two[1]) - Math.abs(one[1]));
    const theme = replay.app.themes.signal.value;
    const widest = Math.max(1, Math.abs(sorted[0]?.[1] ?? 0));
    const value = ({ run, k }: Side, name: string) =>
      told(measure, read(run.frames[k][measure][run.index(name)]));
    all.hidden = whole || sorted.length <= MOST;
    list.replaceChildren(
      ...sorted.slice(0, whole ? sorted.length : MOST).map(([name, x]) => {
        const bar = h("i", {
          style: [
            `--from:${x < 0 ? 50 + (50 * x) / widest : 50}%`,
            `--long:${(50 * Math.abs(x)) / widest}%`,
            `background:${diverging(x, STRONGEST, theme)}`,
          ].join(";"),
        });
        const line = h(
          "button",
          { type: "button", title: `${value(a, name)} → ${value(b, name)}` },
          h("span", { class: "name" }, name),
          h("span", { class: "track" }, bar),
          h("span", { class: "number" }, times(x)),
        );
        line.addEventListener("click", () => replay.choose(replay.rows.named(name) ?? null));
        return h("li", {}, line);
      }),
    );
  };
  for (const signal of [
    replay.at,
    replay.against,
    replay.version,
    replay.measure,
    replay.app.themes.signal,
  ] as { watch(f: () => void): void }[])
    signal.watch(refresh);
  return box;
}

/** "×4.2" or "÷3", of a log₂. */
export function times(x: number): string {
  const ratio = 2 ** Math.abs(x);
  const said =
    ratio >= 1000
      ? ratio.toExponential(0).replace("e+", "e")
      : String(Number(ratio.toPrecision(2)));
  return said === "1" ? "×1" : `${x < 0 ? "÷" : "×"}${said}`;
}
