/** The plane as the network sees it: where it tells which class, and the points. */

import { h } from "../dom";
import { bytes, type State } from "./events";
import type { Game } from "./game";
import { context, field, poles } from "./paint";
import { points } from "./samples";

const RADIUS = 3;

export class Plane {
  readonly canvas = h("canvas", { class: "plane", role: "img" });
  readonly read = h("span", { class: "number" });
  readonly held = h("input", { type: "checkbox", checked: true, id: "held-out" });
  readonly element = h(
    "div", { class: "output" }, this.canvas,
    h("div", { class: "line under" },
      h("label", { class: "faint", for: "held-out" }, this.held, "held-out points ○"), this.read),
  );
  private at: [number, number] | null = null; // where the pointer is, from 0 to 1

  constructor(private readonly game: Game) {
    this.held.addEventListener("change", () => game.repaint());
    this.canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
      this.at = [offsetX / this.canvas.clientWidth, offsetY / this.canvas.clientHeight];
      game.repaint();
    });
    this.canvas.addEventListener("pointerleave", () => {
      this.at = null;
      game.repaint();
    });
    game.painter(() => this.paint());
  }

  private paint(): void {
    const { plane } = this.game.state.value!;
    this.element.hidden = !plane;
    if (plane) this.draw(plane);
  }

  private draw({ size, extent, values }: NonNullable<State["plane"]>): void {
    const theme = this.game.themes.signal.value;
    const told = bytes(values);
    const { pen, width, height } = context(this.canvas);
    pen.imageSmoothingQuality = "high";
    const [left, right, bottom, top] = extent;
    // the cells' middles lie on the extent: half a cell hangs over on each side
    const over = width / (size - 1) / 2;
    pen.drawImage(field(told.map((p) => 128 + (p - 127.5) * 0.55), theme), -over, -over, width + 2 * over, height + 2 * over);
    boundary(pen, told, size, width, height, theme.colours.ink);
    const place = (x: number, y: number): [number, number] => [
      ((x - left) / (right - left)) * width,
      ((top - y) / (top - bottom)) * height,
    ];
    const { train, test } = this.game.setup.value!.points;
    const colours = poles(theme);
    points(pen, train ?? [], false, colours, theme.colours.paper, place, RADIUS);
    if (this.held.checked) points(pen, test ?? [], true, colours, theme.colours.paper, place, RADIUS - 0.4);
    const { accuracy } = this.game.state.value!;
    this.canvas.setAttribute("aria-label", `Decision boundary in the plane; accuracy ${accuracy.test} on held-out points`);
    this.say(told, size, extent);
  }

  private say(told: Uint8Array, size: number, [left, right, bottom, top]: number[]): void {
    if (!this.at) {
      this.read.textContent = "";
      return;
    }
    const [u, v] = this.at;
    const cell = (share: number) => Math.max(0, Math.min(size - 1, Math.round(share * (size - 1))));
    const p = told[cell(1 - v) * size + cell(u)] / 255;
    const [x, y] = [left + u * (right - left), top + v * (bottom - top)];
    this.read.textContent = `p(${x.toFixed(1)}, ${y.toFixed(1)}) = ${p.toFixed(2)}`;
  }
}

/** The line where both classes are as likely, by marching squares. */
function boundary(pen: CanvasRenderingContext2D, told: Uint8Array, size: number, width: number, height: number, colour: string): void {
  const middle = 127.5;
  const step = [width / (size - 1), height / (size - 1)];
  pen.beginPath();
  for (let row = 0; row < size - 1; row++)
    for (let col = 0; col < size - 1; col++) {
      // corners in order around the cell, as [column, row]
      const corners = [[col, row], [col + 1, row], [col + 1, row + 1], [col, row + 1]];
      const crossings: [number, number][] = [];
      corners.forEach(([x, y], i) => {
        const [u, v] = corners[(i + 1) % 4];
        const [a, b] = [told[y * size + x] - middle, told[v * size + u] - middle];
        if (a > 0 === b > 0) return;
        const share = a / (a - b);
        crossings.push([(x + share * (u - x)) * step[0], height - (y + share * (v - y)) * step[1]]);
      });
      for (let i = 0; i + 1 < crossings.length; i += 2) {
        pen.moveTo(...crossings[i]);
        pen.lineTo(...crossings[i + 1]);
      }
    }
  pen.strokeStyle = colour;
  pen.globalAlpha = 0.55;
  pen.lineWidth = 1.3;
  pen.stroke();
  pen.globalAlpha = 1;
}
