/** The bar: begin, pause, one step, anew; where the training is; whether the line is alive. */

import { button, h, icon } from "../dom";
import type { Game } from "./game";
import { wrong } from "./knobs";

export function bar(game: Game): HTMLElement {
  const run = button("play", "Start (space)", () => toggle(game), { class: "go plain" });
  const word = h("span", {}, "start");
  let was: boolean | null = null;
  game.state.watch(() => {
    if (game.running === was) return;
    was = game.running;
    word.textContent = was ? "pause" : "start";
    run.replaceChildren(icon(was ? "pause" : "play"), word);
    run.title = was ? "Pause (space)" : "Start (space)";
    run.setAttribute("aria-label", was ? "Pause" : "Start");
  });
  const count = h("span", { class: "number" });
  game.painter(() => {
    const { step, epoch } = game.state.value!;
    count.textContent = `step ${step.toLocaleString("en")} · epoch ${epoch.toLocaleString("en")}`;
  });
  return h(
    "header", { class: "bar" },
    h("h1", {}, "Playground"),
    h("div", { class: "tools", role: "group", "aria-label": "Training" },
      run,
      button("next", "One step (s)", () => void game.do("step")),
      button("reset", "Begin anew (r)", () => void game.do("reset"))),
    count,
    wrong(game, "", { class: "wrong" }),
    line(game),
    button("theme", "Light or dark", () => game.themes.toggle()),
  );
}

export function toggle(game: Game): void {
  void game.do(game.running ? "pause" : "start");
}

function line(game: Game): HTMLElement {
  const box = h("p", { class: "connection", role: "status" });
  game.connection.alive.watch((alive) => {
    box.dataset.alive = alive;
    box.textContent = { open: "", connecting: "connecting …", lost: "connection lost, trying again …" }[alive];
    box.title = alive === "lost" ? "If the playground was ended, start it again and open its new address." : "";
  });
  return box;
}

export function keys(game: Game): void {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || event.repeat) return;
    const target = event.target as HTMLElement;
    if (target.matches("input[type=text],select")) return;
    const acts: { [key: string]: () => void } = {
      s: () => void game.do("step"),
      r: () => void game.do("reset"),
      g: () => game.shown.set(game.shown.value === "weights" ? "gradients" : "weights"),
    };
    if (!target.matches("button,input[type=checkbox]")) acts[" "] = () => toggle(game);
    if (!(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
  });
}
