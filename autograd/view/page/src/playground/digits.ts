/** What the network makes of digits it was not shown: a confusion matrix, and some of them. */

import { h } from "../dom";
import { counted, float, percent } from "../numbers";
import { bytes, type Sample } from "./events";
import type { Game } from "./game";
import { context, font, ink } from "./paint";

const MARGIN = 18; // px for the digits beside and above the matrix

export class Digits {
  private readonly matrix = h("canvas", { class: "matrix", role: "img" });
  private readonly read = h("span", { class: "faint" });
  private readonly samples = h("ul", { class: "samples", "aria-label": "Some held-out digits" });
  readonly element = h(
    "div", { class: "output" }, this.matrix,
    h("div", { class: "line under" }, h("span", { class: "faint" }, "rows: what it is · columns: what is told"), this.read),
    this.samples,
  );
  private at: [number, number] | null = null;

  constructor(private readonly game: Game) {
    this.matrix.addEventListener("pointermove", ({ offsetX, offsetY }) => {
      const side = (this.matrix.clientWidth - MARGIN) / 10;
      const [col, row] = [offsetX, offsetY].map((x) => Math.floor((x - MARGIN) / side));
      this.at = col >= 0 && row >= 0 && col < 10 && row < 10 ? [row, col] : null;
      game.repaint();
    });
    this.matrix.addEventListener("pointerleave", () => {
      this.at = null;
      game.repaint();
    });
    game.painter(() => this.paint());
  }

  private paint(): void {
    const { digits } = this.game.state.value!;
    this.element.hidden = !digits;
    if (!digits) return;
    this.draw(digits.confusion);
    const old = [...this.samples.children] as Shown[];
    this.samples.replaceChildren(...digits.samples.map((sample, i) => this.sample(sample, old[i])));
    const [row, col] = this.at ?? [];
    this.read.textContent =
      row === undefined || col === undefined ? "" : `${row} told as ${col}: ${counted(digits.confusion[row][col], "time")}`;
  }

  private draw(confusion: number[][]): void {
    const theme = this.game.themes.signal.value;
    const { pen, width } = context(this.matrix);
    const side = (width - MARGIN) / 10;
    const right = confusion.reduce((sum, row, i) => sum + row[i], 0);
    const all = confusion.flat().reduce((a, b) => a + b, 0);
    this.matrix.setAttribute("aria-label", `Confusion matrix: ${right} of ${all} held-out digits are told right`);
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    confusion.forEach((row, i) => {
      const total = row.reduce((a, b) => a + b, 0) || 1;
      const label = MARGIN + (i + 0.5) * side;
      pen.font = font(11);
      pen.fillStyle = theme.colours.faint;
      pen.fillText(String(i), MARGIN / 2 - 2, label);
      pen.fillText(String(i), label, MARGIN / 2);
      row.forEach((count, j) => {
        const [x, y] = [MARGIN + j * side, MARGIN + i * side];
        pen.fillStyle = theme.colours.tint;
        pen.globalAlpha = 0.07;
        pen.fillRect(x + 0.5, y + 0.5, side - 1, side - 1);
        pen.globalAlpha = Math.min(1, 0.15 + count / total);
        if (count) {
          pen.fillStyle = theme.kind(i === j ? "parameter" : "output")[1];
          pen.fillRect(x + 0.5, y + 0.5, side - 1, side - 1);
        }
        pen.globalAlpha = 1;
        if (!count) return;
        pen.fillStyle = count / total > 0.4 ? theme.colours.paper : theme.colours.ink;
        pen.fillText(String(count), x + side / 2, y + side / 2 + 0.5);
      });
    });
  }

  /** One digit; a picture that is there already is kept. */
  private sample(sample: Sample, old: Shown | undefined): Shown {
    const theme = this.game.themes.signal.value;
    const mark = `${sample.image} ${theme.dark}`;
    const item: Shown = old?.mark === mark ? old : h("li", {});
    if (item !== old) {
      item.mark = mark;
      item.replaceChildren(ink(bytes(sample.image), theme), h("span", {}));
    }
    const right = sample.told === sample.label;
    const sure = percent(float(sample.probabilities[sample.told]));
    const text = right ? `${sample.told}` : `${sample.told}≠${sample.label}`;
    item.lastElementChild!.textContent = text;
    item.className = right ? "" : "mistaken";
    item.title = `a ${sample.label}, told as ${sample.told}: ${sure} sure`;
    return item;
  }
}

type Shown = HTMLLIElement & { mark?: string };
