/** Activations over the steps: how much of them is saturated, and how many units are dead. */

import { h } from "../dom";
import { percent } from "../numbers";
import { Chart, type Tip } from "./chart";
import type { Units as Facts } from "./run";
import type { Replay } from "./state";
import { type Area, stretches, write } from "./strokes";

const GAP = 4;
/** Heights of a row in px: few are high. */
const FEW = 6;
const [HIGH, LOW] = [24, 17];

export class Units {
  readonly chart: Chart;

  constructor(
    private readonly replay: Replay,
    tip: Tip,
  ) {
    this.chart = new Chart(
      replay,
      {
        title: "saturated and dead units",
        height: () => replay.run.header.activations.length * this.high + 2,
        draw: (area) => this.draw(area),
        read: (k, y) => this.read(k, y),
        summary: () => this.read(replay.run.last).join("; "),
        aside: (area) => this.aside(area),
        shown: () =>
          replay.run.header.activations.length > 0 && replay.run.frames.some(({ probe }) => probe),
      },
      tip,
    );
  }

  private get high(): number {
    return this.replay.run.header.activations.length > FEW ? LOW : HIGH;
  }

  private get means(): string {
    const rectifiers = this.replay.run.header.activations.map(({ kind }) => kind === "relu");
    if (rectifiers.every(Boolean)) return "zero outputs";
    return rectifiers.some(Boolean) ? "zero or saturated" : "saturated";
  }

  private name(i: number): string {
    const { name, kind } = this.replay.run.header.activations[i];
    const path = name.split("/")[0];
    return path ? `${path} ${kind}` : kind;
  }

  private draw(area: Area): void {
    const { context, theme, left, right } = area;
    const { header, frames } = this.replay.run;
    const probes = frames.filter(({ probe }) => probe?.activations.length);
    const steps = probes.map(({ step }) => step);
    const pale = `color-mix(in srgb, ${theme.colours.tint} 35%, ${theme.colours.paper})`;
    this.chart.legend.replaceChildren(
      h("span", {}, h("i", { class: "block", style: `background:${pale}` }), this.means),
      h(
        "span",
        {},
        h("i", { class: "block", style: `background:${theme.colours.back}` }),
        "dead units",
      ),
      h("span", {}, `probed at ${probes.length} steps`),
    );
    header.activations.forEach((_, i) => {
      const bottom = (i + 1) * this.high - 1;
      const high = this.high - GAP;
      write(area, this.name(i), left - 8, bottom - high / 2, { align: "right" });
      context.fillStyle = `color-mix(in srgb, ${theme.colours.tint} 6%, ${theme.colours.paper})`;
      context.fillRect(left, bottom - high, right - left, high);
      const areas: [string, (facts: Facts) => number][] = [
        [pale, ({ saturated }) => saturated],
        [theme.colours.back, ({ dead }) => dead],
      ];
      for (const [colour, share] of areas) {
        context.fillStyle = colour;
        stretches(area, steps, (k, x, width) => {
          const facts = probes[k].probe!.activations[i];
          if (facts) context.fillRect(x, bottom - high * share(facts), width, high * share(facts));
        });
      }
    });
  }

  private facts(k: number, i: number): Facts | undefined {
    return this.replay.run.earlier(k, "probe")?.probe!.activations[i];
  }

  private aside(area: Area): void {
    this.replay.run.header.activations.forEach((_, i) => {
      const facts = this.facts(this.replay.at.value, i);
      if (!facts) return;
      const x = facts.dead || facts.saturated;
      const { back, faint } = area.theme.colours;
      write(area, percent(x), area.right + 7, (i + 0.5) * this.high + 1, {
        number: true,
        size: 10.5,
        colour: facts.dead ? back : faint,
      });
    });
  }

  private read(k: number, y?: number): string[] {
    const { run } = this.replay;
    const all = run.header.activations.map((_, i) => i);
    const probe = run.earlier(k, "probe");
    if (!probe) return ["not probed yet"];
    const lines = all
      .filter((i) => y === undefined || i === Math.floor(y / this.high))
      .map((i) => {
        const { kind } = run.header.activations[i];
        const { saturated, dead } = this.facts(k, i)!;
        const what = kind === "relu" ? "zero" : "saturated";
        return `${this.name(i)}: ${percent(saturated)} ${what}, ${percent(dead)} of units dead`;
      });
    return [...lines, `probed at step ${probe.step}`];
  }
}
