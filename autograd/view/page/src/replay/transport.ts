/** The time of a training: play, step, speed and a slider through the recorded steps. */

import { button, h, icon } from "../dom";
import { said } from "./axis";
import { read } from "./run";
import type { Replay } from "./state";

/** Milliseconds that a whole training takes at speed 1, and a frame at least and at most. */
const WHOLE = 14_000;
const LEAST = 1000 / 60;
const MOST = 500;
const NARROW = 760;
const SPEEDS = [0.5, 1, 2, 4];

export class Transport {
  readonly element: HTMLElement;
  private readonly slider = h("input", {
    type: "range",
    min: 0,
    step: 1,
    "aria-label": "Step of the training",
  });
  private readonly label = h("output", { class: "number" });
  private readonly speed = h("select", { "aria-label": "Speed", title: "Speed" });
  private readonly epochs = h("div", { class: "marks" });
  private readonly play = button("play", "Play (space)", () => this.toggle(), { class: "main" });
  private timer = 0;

  constructor(private readonly replay: Replay) {
    for (const speed of SPEEDS)
      this.speed.append(h("option", { value: speed, selected: speed === 1 }, `${speed}×`));
    this.slider.addEventListener("input", () => {
      this.pause();
      replay.go(Number(this.slider.value));
    });
    this.element = h(
      "div",
      { class: "transport replay", role: "group", "aria-label": "Training time" },
      button("previous", "Previous step (p)", () => this.move(-1)),
      this.play,
      button("next", "Next step (n)", () => this.move(1)),
      h("div", { class: "track" }, this.slider, this.epochs),
      this.label,
      this.speed,
    );
    replay.version.watch(() => this.prepare());
    replay.at.watch(() => this.refresh());
    replay.training.watch((training) => training || this.pause());
  }

  private prepare(): void {
    const { frames, last } = this.replay.run;
    this.slider.max = String(Math.max(0, last));
    this.slider.disabled = last < 0;
    const starts = frames.flatMap(({ epoch }, k) =>
      epoch !== undefined && epoch !== frames[k - 1]?.epoch ? [k] : [],
    );
    const apart = Math.max(1, Math.ceil(starts.length / (innerWidth < NARROW ? 4 : 8)));
    const shown = starts.filter((_, i) => i % apart === 0);
    this.epochs.replaceChildren(
      ...shown.map((k, i) => {
        const wide = (100 * ((shown[i + 1] ?? last + 1) - k)) / (last + 1);
        return button(
          i ? String(frames[k].epoch) : `epoch ${frames[k].epoch}`,
          `To epoch ${frames[k].epoch}`,
          () => this.replay.go(k),
          { style: `width:${wide}%`, tabindex: -1 },
        );
      }),
    );
    this.refresh();
  }

  private refresh(): void {
    const { replay } = this;
    const { frame, run } = replay;
    this.slider.value = String(replay.at.value);
    this.slider.style.setProperty("--done", `${(100 * replay.at.value) / Math.max(1, run.last)}%`);
    const words = frame
      ? `step ${frame.step}, loss ${said(read(frame.loss))}`
      : "nothing recorded yet";
    this.slider.setAttribute("aria-valuetext", words);
    this.label.textContent = frame
      ? `step ${[frame, run.frames[run.last]].map(({ step }) => step.toLocaleString("en")).join(" / ")}`
      : "";
  }

  move(by: number): void {
    this.pause();
    this.replay.go(this.replay.at.value + by);
  }

  toggle(): void {
    if (this.timer) return this.pause();
    const { replay } = this;
    const { run } = replay;
    if (run.last < 1) return;
    if (replay.at.value >= run.last) replay.go(0);
    this.show("pause", "Pause (space)");
    let place = replay.at.value;
    let then = performance.now();
    const tick = (now: number) => {
      const each =
        Math.min(MOST, Math.max(LEAST / 4, WHOLE / run.frames.length)) / Number(this.speed.value);
      place += (now - then) / each;
      then = now;
      if (Math.floor(place) !== replay.at.value) replay.go(Math.floor(place));
      if (replay.at.value >= run.last) return this.pause();
      this.timer = requestAnimationFrame(tick);
    };
    this.timer = requestAnimationFrame(tick);
  }

  pause(): void {
    cancelAnimationFrame(this.timer);
    this.timer = 0;
    this.show("play", "Play (space)");
  }

  private show(sign: string, says: string): void {
    this.play.replaceChildren(icon(sign));
    this.play.setAttribute("aria-label", says);
    this.play.setAttribute("title", says);
  }
}
