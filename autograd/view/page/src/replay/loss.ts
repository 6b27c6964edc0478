/** The loss, with what was measured beside it, where gradients were clipped, where it broke. */

import { h } from "../dom";
import { float } from "../numbers";
import { type Axis, fitting, said } from "./axis";
import { Chart, type Tip } from "./chart";
import type { Run } from "./run";
import type { Replay } from "./state";
import { type Area, grid, line, write } from "./strokes";

const HIGH = 150;
const TOP = 8;
const LOW = 78; // of a metric's chart
const FOOT = 24; // for the steps
const BOTTOM = HIGH - FOOT;

type Points = [number, number | null][];

interface Curve {
  name: string;
  points: Points;
  colour: string;
}

/** The chart of the loss, and one for each other metric. */
export function lossCharts(replay: Replay, tip: Tip): HTMLElement {
  const box = h("div", {}, new Loss(replay, tip, "").chart.element);
  const made = new Set<string>([""]);
  replay.version.watch(() => {
    for (const name of replay.run.logged().keys()) {
      const metric = name.replace(/^val_/, "");
      if (
        metric === "loss" ||
        metric === "lr" ||
        metric === "learning_rate" ||
        made.has(metric) ||
        made.size > 3
      )
        continue;
      made.add(metric);
      box.append(new Loss(replay, tip, metric).chart.element);
    }
  });
  return box;
}

class Loss {
  readonly chart: Chart;
  private curves: Curve[] = [];
  private axis: Axis = fitting([]);
  private readonly high: number;
  private readonly bottom: number;

  constructor(
    private readonly replay: Replay,
    tip: Tip,
    private readonly metric: string,
  ) {
    this.high = metric ? LOW : HIGH;
    this.bottom = metric ? LOW - 6 : BOTTOM;
    this.chart = new Chart(
      replay,
      {
        title: metric || "loss",
        height: () => this.high,
        draw: (area) => this.draw(area),
        read: (k) => this.read(k),
        summary: () => this.summary(),
        aside: (area) => this.aside(area),
      },
      tip,
    );
  }

  private gather(area: Area): void {
    const { replay, metric } = this;
    const { colours } = area.theme;
    const [, blue] = area.theme.kind("parameter");
    const [, green] = area.theme.kind("input");
    this.curves = [];
    const add = (name: string, points: Points, colour: string) => {
      if (points.some(([, x]) => x !== null)) this.curves.push({ name, points, colour });
    };
    const told = (run: Run, mine: boolean) => {
      const logged = run.logged();
      const points = (name: string): Points =>
        (logged.get(name) ?? []).map(([k, x]) => [run.frames[k].step, x]);
      const main: Points = metric
        ? points(metric)
        : run.frames.map(({ step, loss }) => [step, loss === null ? null : float(loss)]);
      add(mine ? "training" : "other run", main, mine ? blue : colours.line);
      if (mine) add("validation", points(`val_${metric || "loss"}`), green);
    };
    if (replay.other) told(replay.other, false);
    told(replay.run, true);
    this.axis = fitting(this.curves.flatMap(({ points }) => points.map(([, x]) => x ?? NaN)));
    const keys = this.curves.length > 1 ? this.curves : [];
    this.chart.legend.replaceChildren(
      ...keys.map(({ name, colour }) =>
        h("span", {}, h("i", { style: `background:${colour}` }), name),
      ),
      this.axis.log ? h("span", {}, "log scale") : "",
    );
  }

  private y(x: number): number {
    return this.bottom - Math.max(-0.05, Math.min(1.05, this.axis.place(x))) * (this.bottom - TOP);
  }

  private draw(area: Area): void {
    this.gather(area);
    const { context, theme, left, right } = area;
    const { run } = this.replay;
    const { bottom } = this;
    if (this.metric)
      this.axis.ticks = this.axis.ticks.filter((_, i, all) => i === 0 || i === all.length - 1);
    grid(area, this.axis, TOP, bottom);
    if (!this.metric) this.rate(area, bottom);
    for (const { points, colour } of this.curves) {
      context.strokeStyle = colour;
      context.lineWidth = 1.5;
      context.lineJoin = "round";
      line(area, points, (x) => this.y(x));
    }
    context.lineWidth = 1;
    if (this.metric) return;
    const [first, last] = this.replay.range;
    write(area, `step ${first.toLocaleString("en")}`, left, this.high - 7, { size: 10.5 });
    write(area, last.toLocaleString("en"), right, this.high - 7, { size: 10.5, align: "right" });
    let clipped = 0;
    const bad = run.frames.map(({ loss }) => loss !== null && !Number.isFinite(float(loss)));
    run.frames.forEach((frame, k) => {
      const x = area.x(frame.step);
      if (frame.clipped) {
        clipped++;
        context.fillStyle = theme.colours.back;
        context.fillRect(x - 0.75, bottom + 1, 1.5, 5);
      }
      if (!bad[k]) return;
      const next = run.frames[k + 1] ? area.x(run.frames[k + 1].step) : right;
      context.fillStyle = theme.colours.alarm;
      if (!bad[k - 1]) context.fillRect(x - 0.75, TOP - 6, 1.5, bottom - TOP + 6);
      context.globalAlpha = 0.12;
      context.fillRect(x, TOP - 6, next - x, bottom - TOP + 6);
      context.globalAlpha = 1;
    });
    if (clipped)
      this.chart.legend.append(
        h(
          "span",
          {},
          h("i", { class: "tick", style: `background:${theme.colours.back}` }),
          "clipped",
        ),
      );
    if (bad.includes(true)) this.chart.legend.append(h("span", { class: "alarm" }, "nan or ∞"));
  }

  /** The learning rate, where it changes: a thin line that fills the height at its largest. */
  private rate(area: Area, bottom: number): void {
    const { frames } = this.replay.run;
    const most = frames.reduce((a, { lr }) => Math.max(a, lr ?? 0), 0);
    const least = frames.reduce((a, { lr }) => Math.min(a, lr ?? a), most);
    if (!(least < 0.999 * most)) return;
    const { context, theme } = area;
    context.strokeStyle = theme.colours.line;
    context.globalAlpha = 0.8;
    line(
      area,
      frames.map(({ step, lr }) => [step, lr ?? null]),
      (lr) => bottom - (lr / most) * (bottom - TOP),
    );
    context.globalAlpha = 1;
    this.chart.legend.append(
      h(
        "span",
        {},
        h("i", { style: `background:${theme.colours.line};height:1px` }),
        `learning rate, at most ${said(most)}`,
      ),
    );
  }

  /** The number of a curve at a step: that of the last point before it. */
  private at({ points }: Curve, step: number): number | null {
    return points.findLast(([s, x]) => s <= step && x !== null)?.[1] ?? null;
  }

  private read(k: number): string[] {
    const frame = this.replay.run.frames[k];
    if (!frame) return [];
    const told = this.curves.map((curve) => `${curve.name} ${said(this.at(curve, frame.step))}`);
    if (this.metric) return told;
    if (frame.lr !== undefined) told.push(`learning rate ${said(frame.lr)}`);
    if (frame.norm !== undefined)
      told.push(`gradient norm ${said(float(frame.norm))}${frame.clipped ? ", clipped" : ""}`);
    return told;
  }

  private aside(area: Area): void {
    const used: number[] = [];
    for (const curve of this.curves) {
      const x = this.at(curve, this.replay.step);
      if (x === null) continue;
      let y = Number.isFinite(x) ? Math.max(TOP, this.y(x)) : TOP;
      if (used.some((other) => Math.abs(other - y) < 12)) y = Math.max(...used) + 12;
      used.push(y);
      write(area, said(x), area.right + 7, y, {
        number: true,
        size: 10.5,
        colour: Number.isFinite(x) ? curve.colour : area.theme.colours.alarm,
      });
    }
  }

  private summary(): string {
    return this.curves
      .map(({ name, points }) => {
        const there = points.filter(([, x]) => x !== null);
        return `${name}: from ${said(there[0]?.[1])} to ${said(there.at(-1)?.[1])}`;
      })
      .join("; ");
  }
}
