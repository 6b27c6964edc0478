/** Layers by steps: how large the gradients are, and along which way they fade. */

import { button, h } from "../dom";
import { Chart, LEFT, type Tip } from "./chart";
import type { Row } from "./rows";
import { type Scale, scaleOf, told } from "./scale";
import type { Replay } from "./state";
import { type Area, write } from "./strokes";

/** Heights of a row in px, by how many rows there are at most. */
const HEIGHTS = [
  [10, 20],
  [26, 15],
  [60, 12],
  [Infinity, 10],
];
const INDENT = 9;
const EDGE = 2;

export class Heat {
  readonly chart: Chart;
  private rows: Row[] = [];
  private scale!: Scale;

  constructor(
    private readonly replay: Replay,
    tip: Tip,
  ) {
    this.chart = new Chart(
      replay,
      {
        title: "gradient norm by layer",
        height: () => this.arranged().length * this.high + EDGE,
        draw: (area) => this.draw(area),
        read: (k, y) => this.read(k, y),
        summary: () => this.summary(),
        aside: (area) => this.aside(area),
        click: (y, x) => this.click(y, x),
        key: (key) => this.key(key),
      },
      tip,
    );
  }

  private arranged(): Row[] {
    return (this.rows = this.replay.rows.visible);
  }

  private get high(): number {
    return HEIGHTS.find(([most]) => this.rows.length <= most)![1];
  }

  private get size(): number {
    return Math.min(11.5, this.high - 1.5);
  }

  private draw(area: Area): void {
    const { replay, high } = this;
    this.scale = scaleOf(replay, "gradient");
    const { context, theme, left, right } = area;
    const [low, most] = this.scale.ends;
    const { folded } = replay.rows;
    const all = button(
      folded ? "unfold all" : "fold all",
      `${folded ? "Unfold" : "Fold"} all modules`,
      () => {
        replay.rows.all(folded);
        replay.folded();
      },
      { class: "link" },
    );
    this.chart.legend.replaceChildren(
      all,
      h("span", { class: "number" }, low),
      h("i", { class: "ramp", style: `background:linear-gradient(90deg,${theme.heat.join(",")})` }),
      h("span", { class: "number" }, most),
    );
    const image = this.image(area);
    context.imageSmoothingEnabled = false;
    context.drawImage(image, left, 0, right - left, this.rows.length * high);
    const chosen = replay.row.value && replay.rows.shown(replay.row.value);
    context.fillStyle = theme.colours.paper;
    if (high > 10)
      this.rows.forEach((_, i) => context.fillRect(left, (i + 1) * high - 1, right - left, 1));
    this.rows.forEach((row, i) => {
      const y = i * high;
      const middle = y + high / 2;
      const mine = row === chosen;
      const x = 10 + INDENT * row.depth;
      if (row.rows.length) twig(area, x - 6, middle, row.open);
      const label = clipped(area, row.label, left - x - 6, this.size, mine);
      write(area, label, x, middle, {
        size: this.size,
        bold: mine,
        colour: mine ? theme.colours.ink : undefined,
      });
      if (mine) {
        context.strokeStyle = theme.kind("parameter")[1];
        context.lineWidth = 1.5;
        context.strokeRect(left - 0.5, y - 0.5, right - left + 1, high);
        context.lineWidth = 1;
      }
    });
  }

  /** A pixel for every row and every column of the screen: of several steps there, the mean. */
  private image({ theme, left, right, x }: Area): HTMLCanvasElement {
    const {
      rows,
      replay: { run },
    } = this;
    const colours = theme.heat.map(rgb);
    const broken = rgb(theme.colours.alarm);
    const still = rgb(theme.colours.edge);
    const wide = Math.max(1, Math.round(right - left));
    const canvas = h("canvas", { width: wide, height: Math.max(1, rows.length) });
    const context = canvas.getContext("2d")!;
    const image = context.createImageData(canvas.width, canvas.height);
    const ends = run.frames.map(({ step }, k) => {
      const next = run.frames[k + 1]?.step ?? step + (step - (run.frames[k - 1]?.step ?? step - 1));
      return [
        Math.floor(x(step) - left),
        Math.max(Math.ceil(x(next) - left), Math.floor(x(step) - left) + 1),
      ];
    });
    rows.forEach((row, i) => {
      for (let k = 0; k < run.frames.length;) {
        const [from, to] = ends[k];
        let sum = 0;
        let many = 0;
        let bad = false;
        let zero = false;
        for (const begin = k; k < run.frames.length && (k === begin || ends[k][0] === from); k++) {
          const value = run.value(k, "gradient", row.parameters);
          if (value === null) continue;
          if (!Number.isFinite(value)) bad = true;
          else if (value === 0) zero = true;
          else {
            sum += Math.log10(value);
            many++;
          }
        }
        const colour = bad
          ? broken
          : many
            ? colours[this.scale.step(10 ** (sum / many))]
            : zero
              ? still
              : null;
        if (!colour) continue;
        for (let column = from; column < Math.min(to, wide); column++)
          image.data.set(colour, 4 * (i * wide + column));
      }
    });
    context.putImageData(image, 0, 0);
    return canvas;
  }

  private aside(area: Area): void {
    this.rows.forEach((row, i) => {
      const x = this.replay.run.value(this.replay.at.value, "gradient", row.parameters);
      const alarm = x !== null && !Number.isFinite(x);
      write(area, told("gradient", x), area.right + 7, (i + 0.5) * this.high, {
        number: true,
        size: Math.min(10.5, this.high - 1),
        colour: alarm ? area.theme.colours.alarm : undefined,
      });
    });
  }

  private at(y: number): Row | undefined {
    return this.rows[Math.floor(y / this.high)];
  }

  private read(k: number, y?: number): string[] {
    const { run, row, rows } = this.replay;
    const one = y === undefined ? row.value && rows.shown(row.value) : this.at(y);
    const all = one ? [one] : this.rows;
    return all.map(
      ({ name, parameters }) => `${name} ${told("gradient", run.value(k, "gradient", parameters))}`,
    );
  }

  private click(y: number, x: number): boolean {
    const row = this.at(y);
    if (!row) return true;
    if (x < LEFT && x < 12 + INDENT * row.depth + 4 && row.rows.length) this.replay.fold(row);
    else this.replay.choose(row);
    return false;
  }

  private key(key: string): boolean {
    const { replay } = this;
    const chosen = replay.row.value && replay.rows.shown(replay.row.value);
    const i = chosen ? this.rows.indexOf(chosen) : -1;
    if (key === "Enter" && chosen) replay.fold(chosen);
    else if (key === "ArrowDown" && i + 1 < this.rows.length) replay.choose(this.rows[i + 1]);
    else if (key === "ArrowUp" && i > 0) replay.choose(this.rows[i - 1]);
    else return key.startsWith("Arrow");
    return true;
  }

  private summary(): string {
    const [low, high] = (this.scale ?? scaleOf(this.replay, "gradient")).ends;
    return (
      `${this.rows.length} rows, from the input to the output, ` +
      `gradients mostly between ${low} and ${high}. Up and down choose a row, Enter folds it`
    );
  }
}

/** The sign of what can be folded. */
function twig({ context, theme }: Area, x: number, y: number, open: boolean): void {
  context.strokeStyle = theme.colours.faint;
  context.beginPath();
  for (const [dx, dy] of open
    ? [
        [-3, -1.5],
        [0, 1.5],
        [3, -1.5],
      ]
    : [
        [-1.5, -3],
        [1.5, 0],
        [-1.5, 3],
      ])
    context.lineTo(x + dx, y + dy);
  context.stroke();
}

/** `text`, or its end, in so many px. */
function clipped(
  { context }: Area,
  text: string,
  room: number,
  size: number,
  bold: boolean,
): string {
  context.font = context.font.replace(/^\d+ [\d.]+px/, `${bold ? 600 : 400} ${size}px`);
  if (context.measureText(text).width <= room) return text;
  let short = text;
  while (short.length > 1 && context.measureText(`…${short}`).width > room) short = short.slice(1);
  return `…${short}`;
}

function rgb(hex: string): number[] {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)).concat(255);
}
