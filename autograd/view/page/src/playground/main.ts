/** The playground: a small network that learns while one watches and turns the knobs. */

import "../base.css";
import "./playground.css";
import { h } from "../dom";
import { payload } from "../trace";
import { bar, keys } from "./bar";
import type { Wish } from "./connection";
import { curves } from "./curves";
import { Digits } from "./digits";
import type { Settings } from "./events";
import { Game } from "./game";
import { knobs } from "./knobs";
import { middle } from "./middle";
import { Plane } from "./plane";
import { summary } from "./words";

const TELL = 15_000; // ms between two sentences for who listens

async function start(): Promise<Game> {
  const home = document.getElementById("glassgrad")!;
  home.classList.add("glassgrad-page", "glassgrad-playground");
  const game = new Game(await payload(), home);
  const result = h("section", { class: "result", "aria-label": "What it has learned" },
    new Plane(game).element, new Digits(game).element, curves(game));
  home.replaceChildren(bar(game), h("main", { class: "field" }, knobs(game), middle(game), result), game.live);
  keys(game);
  let last = -Infinity;
  let running = false;
  game.state.watch((state) => {
    const stopped = running && !state?.running;
    running = !!state?.running;
    if (!state || !(stopped || (running && performance.now() - last > TELL))) return;
    last = performance.now();
    game.live.textContent = summary(state);
  });
  await new Promise<void>((resolve) => game.painter(resolve));
  return game;
}

const game = start();

/** The playground for tests and for the console. */
window.playground = {
  ready: game.then(() => undefined),
  async state() {
    return (await game).state.value;
  },
  async set(settings: Partial<Settings>) {
    return (await game).set(settings);
  },
  async do(action: NonNullable<Wish["do"]>) {
    return (await game).do(action);
  },
};

declare global {
  interface Window {
    playground: object;
  }
}
