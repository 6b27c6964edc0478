/** The panel of what can be chosen: data, and how the network learns. */

import { button, h, type Attributes } from "../dom";
import type { Settings } from "./events";
import type { Game } from "./game";
import { picture } from "./samples";

type Name = "learning_rate" | "batch_size" | "speed";

/** From a slider's place, 0 to 1, to a number and back. */
interface Ruler {
  to(place: number): number;
  from(value: number): number;
}

const clamp = (x: number) => Math.max(0, Math.min(1, x));
const even: Ruler = { to: (p) => Math.round(p * 100) / 100, from: (v) => v };

/** Equal factors for equal ways. */
function powers(low: number, high: number, round: (x: number) => number): Ruler {
  const way = Math.log(high / low);
  return {
    to: (place) => round(low * Math.exp(place * way)),
    from: (value) => clamp(Math.log(Math.max(value, low) / low) / way),
  };
}

const digits = (count: number) => (x: number) => Number(x.toPrecision(count));
const ROWS: { name: Name; says: string; ruler: Ruler }[] = [
  { name: "learning_rate", says: "Learning rate", ruler: powers(1e-4, 10, digits(2)) },
  { name: "batch_size", says: "Batch size", ruler: powers(1, 512, (x) => 2 ** Math.round(Math.log2(x))) },
  { name: "speed", says: "Steps per second", ruler: powers(1, 2000, digits(2)) },
];
const KEYS = [["space", "start, pause"], ["s", "one step"], ["r", "begin anew"], ["g", "gradients"]];
const RATE = powers(1e-5, 1, digits(2));
const FIRST_RATE = 1e-3;

export function knobs(game: Game): HTMLElement {
  return h(
    "section", { class: "knobs", "aria-label": "Data and hyperparameters" },
    h("h2", {}, "Data"),
    data(game),
    slider(game, "noise", "Noise", even, ({ noise }) => noise, (noise) => ({ noise })),
    h("h2", {}, "Learning"),
    h("div", { class: "pair" },
      choice(game, "activation", "Activation"),
      choice(game, "optimizer", "Optimizer")),
    ...ROWS.map(({ name, says, ruler }) =>
      slider(game, name, says, ruler, (settings) => settings[name], (value) => ({ [name]: value }))),
    regularisation(game),
    seed(game),
    h("p", { class: "hints" }, ...KEYS.map(([key, does]) => h("span", {}, h("kbd", {}, key), ` ${does}`))),
  );
}

/** The data sets as small pictures. */
function data(game: Game): HTMLElement {
  const box = h("div", { class: "data", role: "radiogroup", "aria-label": "Data set" });
  const choices = new Map<string, HTMLButtonElement>();
  const pick = (name: string) => {
    choices.get(name)!.focus();
    void game.set({ data: name });
  };
  box.addEventListener("keydown", (event) => {
    const way = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const names = [...choices.keys()];
    const now = names.findIndex((name) => choices.get(name) === document.activeElement);
    if (!way || now < 0) return;
    event.preventDefault();
    pick(names[(now + way + names.length) % names.length]);
  });
  game.setup.watch((setup) => {
    if (!setup || choices.size) return;
    for (const name of setup.options.data) {
      const made = h("button", { type: "button", role: "radio", id: `data-${name}` }, picture(game, name), name);
      made.addEventListener("click", () => pick(name));
      choices.set(name, made);
      box.append(made);
    }
  });
  game.state.watch((state) => {
    for (const [name, one] of choices) {
      const chosen = name === state?.settings.data;
      one.setAttribute("aria-checked", String(chosen));
      one.tabIndex = chosen ? 0 : -1;
    }
  });
  return h("div", {}, box, wrong(game, "data"));
}

function choice(game: Game, name: "activation" | "optimizer", says: string): HTMLElement {
  const select = h("select", { id: name, "aria-describedby": `wrong-${name}` });
  game.setup.watch((setup) => {
    if (setup && !select.options.length)
      select.append(...setup.options[name].map((option) => h("option", { value: option }, option)));
  });
  select.addEventListener("change", () => void game.set({ [name]: select.value }));
  game.state.watch((state) => state && !game.waiting.has(name) && (select.value = state.settings[name]));
  return h("div", { class: "knob" }, h("label", { for: name }, says), select, wrong(game, name));
}

/** A number: a slider for the hand, a field for the exact. */
function slider(
  game: Game, name: string, says: string, ruler: Ruler,
  read: (settings: Settings) => number, write: (value: number) => Partial<Settings>, ...more: HTMLElement[]
): HTMLElement {
  const range = h("input", { type: "range", min: 0, max: 1, step: 0.005, "aria-label": `${says}, slider` });
  const field = number(name, () => send(field.value));
  const show = (value: number) => {
    if (document.activeElement !== field) field.value = String(value);
    const place = ruler.from(value);
    range.value = String(place);
    range.setAttribute("aria-valuetext", String(value));
    range.style.setProperty("--done", `${100 * place}%`);
  };
  const send = (text: string) => void game.set(write(typed(text)), name);
  range.addEventListener("input", () => {
    const value = ruler.to(Number(range.value));
    show(value);
    send(String(value));
  });
  game.state.watch((state) => {
    if (state && !game.waiting.has(name) && !(name in game.wrong.value)) show(read(state.settings));
  });
  return h(
    "div", { class: "knob" },
    h("div", { class: "line" }, h("label", { for: name }, says), ...more, field),
    range,
    wrong(game, name),
  );
}

/** A number; what is none goes to the server as it was typed, which says what is wrong with it. */
function typed(text: string): number {
  const value = Number(text);
  return text.trim() && Number.isFinite(value) ? value : (text as unknown as number);
}

function number(name: string, change: () => void): HTMLInputElement {
  const field = h("input", { type: "text", inputmode: "decimal", id: name, class: "number", autocomplete: "off", "aria-describedby": `wrong-${name}` });
  field.addEventListener("change", change);
  return field;
}

/** None, L1 or L2, and its rate. */
function regularisation(game: Game): HTMLElement {
  let kind: "l1" | "l2" = "l2";
  const select = h("select", { "aria-label": "Regularisation" },
    ...["none", "l1", "l2"].map((name) => h("option", { value: name }, name === "none" ? name : name.toUpperCase())));
  const settings = (rate: number) => ({ l1: 0, l2: 0, [kind]: rate });
  const row = slider(game, "rate", "Regularisation", RATE, ({ l1, l2 }) => l1 || l2, settings, select);
  select.addEventListener("change", () => {
    const off = select.value === "none";
    const { l1, l2 } = game.settings!;
    if (!off) kind = select.value as typeof kind;
    void game.set(settings(off ? 0 : l1 || l2 || FIRST_RATE), "rate");
  });
  game.state.watch((state) => {
    if (!state || game.waiting.has("rate")) return;
    const { l1, l2 } = state.settings;
    kind = l1 ? "l1" : "l2";
    select.value = l1 || l2 ? kind : "none";
    row.classList.toggle("off", select.value === "none");
  });
  return row;
}

function seed(game: Game): HTMLElement {
  const field = number("seed", () => void game.set({ seed: typed(field.value) }));
  game.state.watch((state) => {
    const mine = document.activeElement === field || game.waiting.has("seed") || "seed" in game.wrong.value;
    if (state && !mine) field.value = String(state.settings.seed);
  });
  const next = button("another", "Another seed", () => void game.set({ seed: game.settings!.seed + 1 }), { class: "plain" });
  return h("div", { class: "knob" }, h("div", { class: "line" }, h("label", { for: "seed" }, "Seed"), next, field), wrong(game, "seed"));
}

/** Where the page says what was wrong with a control's value. */
export function wrong(game: Game, name: string, more: Attributes = {}): HTMLElement {
  const box = h("p", { class: "wrong", id: `wrong-${name}`, role: "alert", ...more });
  game.wrong.watch((errors) => {
    box.textContent = errors[name] ?? "";
    box.hidden = !errors[name];
    const control = document.getElementById(name);
    if (errors[name]) control?.setAttribute("aria-invalid", "true");
    else control?.removeAttribute("aria-invalid");
  });
  return box;
}
