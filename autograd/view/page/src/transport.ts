/** The time line: play, step, speed and a slider through the forward and the backward pass. */

import type { App } from "./app";
import { button, h, icon } from "./dom";
import { spoken } from "./rule";

/** Milliseconds from step to step at speed 1. */
const PACE = 1100;
const SPEEDS = [0.5, 1, 2, 4, 10];

export class Transport {
  readonly element: HTMLElement;
  private readonly slider = h("input", {
    type: "range",
    min: 0,
    step: 1,
    "aria-label": "Step of the forward and backward pass",
  });
  private readonly label = h("output", { class: "number" });
  private readonly play: HTMLButtonElement;
  private readonly speed = h("select", { "aria-label": "Speed", title: "Speed" });
  private readonly into: HTMLButtonElement;
  private readonly marks = h("div", { class: "marks" });
  private timer = 0;

  constructor(private readonly app: App) {
    this.play = button("play", "Play (space)", () => this.toggle(), { class: "main" });
    this.into = button("into", "Step into the folded module (i)", () => void app.stepInto());
    for (const speed of SPEEDS)
      this.speed.append(h("option", { value: speed, selected: speed === 1 }, `${speed}×`));
    this.slider.addEventListener("input", () => {
      this.pause();
      app.step(Number(this.slider.value));
    });
    this.element = h(
      "div",
      { class: "transport", role: "group", "aria-label": "Stepper" },
      button("previous", "Previous step (p)", () => this.previous()),
      this.play,
      button("next", "Next step (n)", () => this.next()),
      this.into,
      h("div", { class: "track" }, this.slider, this.marks),
      this.label,
      this.speed,
    );
    app.sheet.watch(() => this.prepare());
    app.position.watch(() => this.refresh());
    app.stepping.watch(() => this.refresh());
    app.scene.watch(() => this.refresh());
  }

  private prepare(): void {
    const { timeline } = this.app.sheet.value;
    this.pause();
    this.element.hidden = timeline.length === 0;
    this.slider.max = String(timeline.length);
    const split = timeline.events.length ? timeline.forward.length / timeline.length : 1;
    this.marks.replaceChildren(
      button("forward", "To the beginning of the forward pass", () => this.app.step(0), {
        style: `width:${100 * split}%`,
      }),
      ...(split < 1
        ? [
            button(
              "backward",
              "To the beginning of the backward pass",
              () => this.app.step(timeline.seed),
              { style: `width:${100 - 100 * split}%` },
            ),
          ]
        : []),
    );
    this.refresh();
  }

  private refresh(): void {
    const { app } = this;
    const { timeline, fold } = app.sheet.value;
    const position = app.position.value;
    this.slider.value = String(position);
    this.slider.style.setProperty("--done", `${(100 * position) / Math.max(1, timeline.length)}%`);
    const words = app.stepping.value ? spoken(app) : "";
    this.slider.setAttribute("aria-valuetext", words || "The end");
    this.label.textContent = `${position.toLocaleString("en")} / ${timeline.length.toLocaleString("en")}`;
    const moment = timeline.at(position);
    this.into.disabled =
      !app.stepping.value || moment.phase === "start" || fold.shown(moment.node).kind === "node";
    if (words && !this.timer) app.said.set(words);
  }

  next(): void {
    this.pause();
    const { app } = this;
    const { timeline } = app.sheet.value;
    if (!app.stepping.value || app.position.value >= timeline.length) app.step(this.start);
    else app.step(app.next());
  }

  previous(): void {
    this.pause();
    this.app.step(
      this.app.stepping.value ? this.app.previous() : this.app.sheet.value.timeline.length,
    );
  }

  /** Where the show begins: with the backward pass, where there is one. */
  private get start(): number {
    const { timeline } = this.app.sheet.value;
    return timeline.events.length ? timeline.seed : 0;
  }

  toggle(): void {
    if (this.timer) return this.pause();
    const { app } = this;
    const { timeline } = app.sheet.value;
    if (!app.stepping.value || app.position.value >= timeline.length) app.step(this.start);
    this.show("pause", "Pause (space)");
    const tick = () => {
      this.timer = window.setTimeout(
        () => {
          app.step(app.next());
          if (app.position.value >= timeline.length) this.pause();
          else tick();
        },
        PACE / Number(this.speed.value),
      );
    };
    tick();
  }

  pause(): void {
    clearTimeout(this.timer);
    this.timer = 0;
    this.show("play", "Play (space)");
  }

  private show(sign: string, says: string): void {
    this.play?.replaceChildren(icon(sign));
    this.play?.setAttribute("aria-label", says);
    this.play?.setAttribute("title", says);
  }
}
