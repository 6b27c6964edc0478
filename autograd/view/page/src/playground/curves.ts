/** Loss and accuracy over the steps, of what is learned from and of what is held out. */

import { h } from "../dom";
import { float, MISSING } from "../numbers";
import type { Num } from "../trace";
import type { Both, State } from "./events";
import type { Game } from "./game";
import { context, font } from "./paint";

const PAD = { left: 34, right: 8, top: 8, bottom: 16 };

interface Chart {
  title: string;
  now(state: State): Both;
  train(state: State): Num[];
  test(state: State): Num[];
  /** The numbers at the lower and the upper end, of all numbers there are. */
  range(xs: number[]): [number, number];
  say(x: number): string;
}

const CHARTS: Chart[] = [
  {
    title: "Loss",
    now: ({ loss }) => loss,
    train: ({ history }) => history.train,
    test: ({ history }) => history.test,
    range: (xs) => [0, round(Math.max(...xs, 1e-6) * 1.05)],
    say: (x) => (Number.isFinite(x) ? x.toPrecision(3) : String(x)),
  },
  {
    title: "Accuracy",
    now: ({ accuracy }) => accuracy,
    train: ({ history }) => history.train_accuracy,
    test: ({ history }) => history.test_accuracy,
    range: (xs) => [Math.floor(Math.min(...xs, 0.9) * 10) / 10, 1],
    say: (x) => (Number.isFinite(x) ? `${(100 * x).toFixed(1)} %` : MISSING),
  },
];

export function curves(game: Game): HTMLElement {
  return h("div", { class: "curves" }, ...CHARTS.map((chart) => new Curve(game, chart).element));
}

class Curve {
  private readonly canvas = h("canvas", { role: "img" });
  private readonly train = h("b", { class: "number" });
  private readonly test = h("b", { class: "number" });
  private readonly step = h("span", { class: "faint number" });
  readonly element: HTMLElement;
  private at: number | null = null; // where the pointer is, px

  constructor(private readonly game: Game, private readonly chart: Chart) {
    this.element = h(
      "div", { class: "curve" },
      h("div", { class: "line" }, h("h2", {}, chart.title), this.step,
        h("span", { class: "key train" }, "train ", this.train),
        h("span", { class: "key test" }, "held out ", this.test)),
      this.canvas,
    );
    this.canvas.addEventListener("pointermove", ({ offsetX }) => {
      this.at = offsetX;
      game.repaint();
    });
    this.canvas.addEventListener("pointerleave", () => {
      this.at = null;
      game.repaint();
    });
    game.painter(() => this.paint());
  }

  private paint(): void {
    const { chart, game } = this;
    const state = game.state.value!;
    const { colours } = game.themes.signal.value;
    const steps = state.history.step;
    const lines = [chart.train(state), chart.test(state)].map((xs) => xs.map(float));
    const finite = lines.flat().filter(Number.isFinite);
    const [low, high] = chart.range(finite);
    const last = Math.max(state.step, 1);
    const { pen, width, height } = context(this.canvas);
    const x = (step: number) => PAD.left + (step / last) * (width - PAD.left - PAD.right);
    const y = (value: number) => PAD.top + ((high - value) / (high - low)) * (height - PAD.top - PAD.bottom);
    pen.font = font(10, "mono");
    pen.fillStyle = colours.faint;
    pen.strokeStyle = colours.edge;
    pen.lineWidth = 1;
    pen.textBaseline = "middle";
    for (const value of [low, (low + high) / 2, high]) {
      pen.textAlign = "right";
      const at = Math.round(y(value)) + 0.5;
      pen.fillText(axis(value), PAD.left - 6, at);
      pen.beginPath();
      pen.moveTo(PAD.left, at);
      pen.lineTo(width - PAD.right, at);
      pen.stroke();
    }
    pen.textBaseline = "alphabetic";
    pen.textAlign = "left";
    pen.fillText("0", PAD.left, height - 3);
    pen.textAlign = "right";
    pen.fillText(`step ${last.toLocaleString("en")}`, width - PAD.right, height - 3);
    const strokes = [colours.ink, colours.back];
    lines.forEach((values, i) => {
      pen.strokeStyle = strokes[i];
      pen.lineWidth = 1.6;
      pen.lineJoin = "round";
      pen.setLineDash(i ? [4, 3] : []);
      pen.beginPath();
      values.forEach((value, k) => Number.isFinite(value) && pen.lineTo(x(steps[k]), y(Math.min(value, high))));
      pen.stroke();
    });
    pen.setLineDash([]);
    this.tell(state, lines, (px) => ((px - PAD.left) / (width - PAD.left - PAD.right)) * last, x, pen, height);
  }

  /** The numbers now, or where the pointer is. */
  private tell(
    state: State, lines: number[][], back: (px: number) => number, x: (step: number) => number,
    pen: CanvasRenderingContext2D, height: number,
  ): void {
    const { chart } = this;
    const now = chart.now(state);
    const [train, test] = [float(now.train), float(now.test)];
    this.canvas.setAttribute("aria-label", `${chart.title} over ${state.step} steps: now ${chart.say(train)} in training, ${chart.say(test)} held out`);
    const { step } = state.history;
    if (this.at === null) {
      this.step.textContent = "";
      this.train.textContent = chart.say(train);
      this.test.textContent = chart.say(test);
      return;
    }
    const wanted = back(this.at);
    let k = 0;
    step.forEach((one, i) => Math.abs(one - wanted) < Math.abs(step[k] - wanted) && (k = i));
    this.step.textContent = `at ${step[k].toLocaleString("en")}`;
    this.train.textContent = chart.say(lines[0][k]);
    this.test.textContent = chart.say(lines[1][k]);
    pen.strokeStyle = this.game.themes.signal.value.colours.line;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x(step[k]), PAD.top);
    pen.lineTo(x(step[k]), height - PAD.bottom);
    pen.stroke();
  }
}

/** The next number above that is easy to read. */
function round(x: number): number {
  const unit = 10 ** Math.floor(Math.log10(x));
  return unit * [1, 1.5, 2, 3, 4, 5, 6, 8, 10].find((n) => n * unit >= x)!;
}

function axis(x: number): string {
  const size = Math.abs(x);
  return size !== 0 && (size >= 1e4 || size < 1e-2) ? x.toExponential(0).replace("+", "") : String(Number(x.toPrecision(2)));
}
