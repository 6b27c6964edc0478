/** The network: columns of units, edges as wide as their weights or gradients are large. */

import { h } from "../dom";
import { float } from "../numbers";
import type { Num } from "../trace";
import type { State } from "./events";
import type { Game, Spot } from "./game";
import { edge, isPicture, layout, spotAt, type Layout, type Unit } from "./layout";
import { context, font, poles } from "./paint";
import { heat, SLOPES, strength } from "./scale";
import { Tip } from "./tip";
import { drawUnit } from "./units";

const THICK = 5; // px of the strongest edge
const FAINT = 0.02; // an edge so weak is not drawn
const DIM = 0.22; // how much is left of what is not pointed at
const BOTTOM = 14; // px for "and so many more"

export class Network {
  readonly canvas = h("canvas", { class: "net", tabindex: 0, role: "application" });
  private readonly tip = new Tip(this.canvas);
  readonly element = h("div", { class: "drawing" }, this.canvas, this.tip.element);
  private shape: Layout | null = null;

  constructor(private readonly game: Game) {
    const point = ({ offsetX, offsetY }: PointerEvent) => {
      this.tip.place(offsetX, offsetY);
      this.look(this.shape && spotAt(this.shape, offsetX, offsetY));
    };
    this.canvas.addEventListener("pointermove", point);
    this.canvas.addEventListener("pointerdown", point);
    this.canvas.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && this.look(null));
    this.canvas.addEventListener("blur", () => this.look(null));
    this.canvas.addEventListener("keydown", (event) => this.walk(event));
    game.painter(() => this.paint());
    new ResizeObserver(() => game.repaint()).observe(this.canvas);
  }

  private look(spot: Spot | null): void {
    const old = this.game.spot.value;
    const same = old?.column === spot?.column && old?.unit === spot?.unit && old?.from === spot?.from;
    if (!same) this.game.spot.set(spot);
  }

  /** From unit to unit with the arrow keys. */
  private walk(event: KeyboardEvent): void {
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (event.key === "Escape") this.look(null);
    if (!way || !this.shape) return;
    event.preventDefault();
    const { columns } = this.shape;
    const now = this.game.spot.value;
    const bound = (x: number, count: number) => Math.max(0, Math.min(count - 1, x));
    const column = now ? bound(now.column + way[0], columns.length) : 0;
    const unit = now ? bound(now.unit + way[1], columns[column].units.length) : 0;
    const { x, y } = columns[column].units[unit];
    this.tip.place(x, y);
    this.look({ column, unit });
    this.game.live.textContent = this.tip.words(this.game.state.value!, { column, unit });
  }

  private paint(): void {
    const state = this.game.state.value!;
    const { pen, width, height } = context(this.canvas);
    if (!width) return;
    this.shape = layout(state.layers, width, height - BOTTOM);
    this.edges(pen, state, this.shape);
    this.units(pen, state, this.shape, height);
    const counts = this.shape.columns.map(({ count }) => count).join(", ");
    this.canvas.setAttribute("aria-label", `Network with ${counts} units per column, its ${this.game.shown.value} on the edges. Arrow keys go from unit to unit.`);
    this.tip.show(this.game);
  }

  private edges(pen: CanvasRenderingContext2D, state: State, shape: Layout): void {
    const { spot: { value: spot }, shown: { value: shown } } = this.game;
    const theme = this.game.themes.signal.value;
    const colours = poles(theme);
    const strong = strength(state, shown);
    const half = shape.side / 2;
    state.layers.forEach(({ weights, gradients, outputs }, i) => {
      const xs: Num[] | null | undefined = shown === "weights" ? weights : gradients;
      const [before, after] = [shape.columns[i], shape.columns[i + 1]];
      const line = (from: Unit, to: Unit, wide: number, colour: string, alpha: number) => {
        pen.lineWidth = wide;
        pen.strokeStyle = colour;
        pen.globalAlpha = alpha;
        pen.beginPath();
        edge(pen, from, to, half);
        pen.stroke();
      };
      const picture = i === 0 && isPicture(shape);
      after.units.forEach((to, unit) =>
        before.units.forEach((from, k) => {
          const lit = !spot || (spot.column === i + 1 && spot.unit === unit && (spot.from ?? k) === k);
          const x = picture ? undefined : xs?.[k * outputs + unit];
          if (x === undefined) {
            const start = picture ? { ...from, x: from.x + shape.picture / 2 - half } : from;
            line(start, to, 1, theme.colours.rule, lit ? 0.8 : DIM);
            return;
          }
          const share = strong(x);
          if (share < FAINT && !(spot && lit)) return;
          const colour = Number.isFinite(float(x)) ? colours[float(x) < 0 ? 0 : 1] : theme.colours.alarm;
          line(from, to, 0.6 + (THICK - 0.6) * share, colour, (0.3 + 0.6 * share) * (lit ? 1 : DIM));
        }),
      );
    });
    pen.globalAlpha = 1;
  }

  private units(pen: CanvasRenderingContext2D, state: State, shape: Layout, height: number): void {
    const { spot: { value: spot }, shown: { value: shown } } = this.game;
    const theme = this.game.themes.signal.value;
    shape.columns.forEach(({ units, count, x }, column) => {
      const side = column === 0 && isPicture(shape) ? shape.picture : shape.side;
      units.forEach(({ y }, unit) => {
        const [left, top] = [x - side / 2, y - side / 2];
        pen.save();
        pen.beginPath();
        pen.roundRect(left, top, side, side, 5);
        pen.clip();
        drawUnit(pen, state, shown, theme, { column, unit }, left, top, side);
        pen.restore();
        const here = spot?.column === column && spot.unit === unit && spot.from === undefined;
        const slope = column && shown === "gradients" ? state.layers[column - 1].bias_gradients?.[unit] : undefined;
        pen.strokeStyle = here ? theme.colours.ink : slope === undefined ? theme.colours.line : heat(slope, SLOPES, theme);
        pen.lineWidth = here || slope !== undefined ? 2.5 : 1;
        pen.beginPath();
        pen.roundRect(left, top, side, side, 5);
        pen.stroke();
      });
      const more = column === 0 && isPicture(shape) ? 0 : count - units.length;
      if (!more) return;
      pen.font = font(11);
      pen.fillStyle = theme.colours.faint;
      pen.textAlign = "center";
      pen.textBaseline = "alphabetic";
      pen.fillText(`+${more} more`, x, height - 2);
    });
  }
}

