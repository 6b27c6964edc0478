/** How large each step is beside the weights: of a training that goes well, about a thousandth. */

import { h } from "../dom";
import { linear, power } from "./axis";
import { Chart, type Tip } from "./chart";
import type { Row } from "./rows";
import { quantile } from "./run";
import { told } from "./scale";
import type { Replay } from "./state";
import { type Area, grid, line, write } from "./strokes";

const HIGH = 128;
const TOP = 6;
const BOTTOM = HIGH - 8;
const USUAL = -3;
const FEW = 12; // lines that are told apart

export class Ratios {
  readonly chart: Chart;
  private rows: Row[] = [];
  private place: (x: number) => number = () => 0;

  constructor(
    private readonly replay: Replay,
    tip: Tip,
  ) {
    this.chart = new Chart(
      replay,
      {
        title: "update : weight",
        height: () => HIGH,
        draw: (area) => this.draw(area),
        read: (k, y) => this.read(k, y),
        summary: () => `${this.rows.length} lines; about 10⁻³ is usual`,
        aside: (area) => this.aside(area),
        click: (y, x) => this.click(y, x),
      },
      tip,
    );
  }

  private value(k: number, row: Row): number | null {
    return this.replay.run.value(k, "update", row.parameters);
  }

  private draw(area: Area): void {
    const { run, rows, row } = this.replay;
    this.rows = rows.leaves;
    const { context, theme } = area;
    const lines = this.rows.map((each) =>
      run.frames.map(({ step }, k): [number, number | null] => {
        const x = this.value(k, each);
        return [step, x ? Math.log10(x) : null];
      }),
    );
    const logs = lines
      .flatMap((points) => points.map(([, x]) => x ?? NaN))
      .filter(Number.isFinite)
      .sort((a, b) => a - b);
    const low = Math.min(USUAL - 0.6, quantile(logs, 0.01) ?? USUAL);
    const high = Math.max(USUAL + 0.9, quantile(logs, 0.99) ?? USUAL);
    const axis = linear(Math.max(low, high - 10) - 0.15, high + 0.15);
    axis.ticks = axis.ticks
      .filter(({ says }) => /^−?\d+$/.test(says))
      .map(({ at, says }) => ({ at, says: power(Number(says.replace("−", "-"))) }));
    this.place = (x) => BOTTOM - Math.max(0, Math.min(1, axis.place(x))) * (BOTTOM - TOP);
    grid(area, axis, TOP, BOTTOM);
    const chosen = row.value && rows.shown(row.value);
    const [from, to] = [theme.kind("input")[1], theme.kind("parameter")[1]];
    const ramp = `background:linear-gradient(90deg,${from},${to})`;
    this.chart.legend.replaceChildren(
      h("span", {}, "input", h("i", { style: ramp }), "output"),
      h("span", {}, h("i", { style: `background:${theme.colours.back}` }), "usual"),
    );
    lines.forEach((points, i) => {
      const share = this.rows.length > 1 ? i / (this.rows.length - 1) : 1;
      context.strokeStyle = `color-mix(in srgb, ${to} ${Math.round(100 * share)}%, ${from})`;
      context.lineWidth = 1.1;
      context.globalAlpha =
        chosen && this.rows.includes(chosen) ? 0.25 : this.rows.length > FEW ? 0.55 : 0.9;
      if (this.rows[i] !== chosen) line(area, points, this.place);
    });
    context.globalAlpha = 1;
    const mine = chosen ? this.rows.indexOf(chosen) : -1;
    if (mine >= 0) {
      context.strokeStyle = theme.colours.ink;
      context.lineWidth = 1.75;
      line(area, lines[mine], this.place);
    }
    context.lineWidth = 1;
    context.setLineDash([5, 4]);
    context.strokeStyle = theme.colours.back;
    context.beginPath();
    const y = Math.round(this.place(USUAL)) + 0.5;
    context.moveTo(area.left, y);
    context.lineTo(area.right, y);
    context.stroke();
    context.setLineDash([]);
  }

  /** The line nearest to a height, at a frame. */
  private near(k: number, y: number): Row | undefined {
    const away = (row: Row) => {
      const x = this.value(k, row);
      return x ? Math.abs(this.place(Math.log10(x)) - y) : Infinity;
    };
    return this.rows.toSorted((a, b) => away(a) - away(b))[0];
  }

  private read(k: number, y?: number): string[] {
    const one = y === undefined ? this.replay.row.value : this.near(k, y);
    return (one ? [one] : this.rows).map(
      (row) => `${row.name} ${told("update", this.value(k, row))}`,
    );
  }

  private click(y: number, x: number): boolean {
    const row = this.near(this.replay.at.value, y);
    if (row && x > this.chart.element.clientWidth - 52) this.replay.choose(row);
    return false;
  }

  private aside(area: Area): void {
    const used: number[] = [];
    const rows =
      this.rows.length > FEW ? this.rows.filter((row) => row === this.replay.row.value) : this.rows;
    const found = rows.flatMap((row) => {
      const x = this.value(this.replay.at.value, row);
      return x ? [{ x, y: this.place(Math.log10(x)) }] : [];
    });
    for (const { x, y } of found.sort((a, b) => a.y - b.y)) {
      if (used.some((other) => Math.abs(other - y) < 11)) continue;
      used.push(y);
      write(area, told("update", x), area.right + 7, y, { number: true, size: 10.5 });
    }
  }
}
