/** The data sets as small pictures, as one knows them, whatever the seed and the noise. */

import { h } from "../dom";
import type { Point } from "./events";
import type { Game } from "./game";
import { context, poles } from "./paint";

const COUNT = 26; // points of each class
const DOT = 1.7; // px

/** A handwritten three, one letter per pixel: how dark it is. */
const THREE = ["..597...", ".7315...", "....26..", "...387..", ".....28.", ".....19.", ".51..48.", "..5985.."];

const SHAPES: { [data: string]: (t: number, class_: number) => [number, number] } = {
  moons: (t, c) => {
    const angle = Math.PI * t;
    return c ? [0.5 - Math.cos(angle), 0.25 - Math.sin(angle)].map((x) => x * 0.72) as [number, number]
      : [Math.cos(angle) - 0.5, Math.sin(angle) - 0.25].map((x) => x * 0.72) as [number, number];
  },
  circles: (t, c) => {
    const radius = c ? 0.42 : 0.92;
    return [radius * Math.cos(2 * Math.PI * t), radius * Math.sin(2 * Math.PI * t)];
  },
  spirals: (t, c) => {
    const angle = 3 * Math.PI * Math.sqrt(t) + c * Math.PI;
    return [0.95 * Math.sqrt(t) * Math.cos(angle), 0.95 * Math.sqrt(t) * Math.sin(angle)];
  },
};

export function picture(game: Game, name: string): HTMLCanvasElement {
  const canvas = h("canvas", { "aria-hidden": "true" });
  const paint = () => (name in SHAPES ? dots : three)(game, canvas, name);
  game.themes.signal.watch(() => requestAnimationFrame(paint));
  return canvas;
}

function dots(game: Game, canvas: HTMLCanvasElement, name: string): void {
  const { pen, width, height } = context(canvas);
  const scale = Math.min(width, height) / 2 - 4;
  const colours = poles(game.themes.signal.value);
  for (let i = 0; i < COUNT; i++)
    for (const label of [0, 1]) {
      const [x, y] = SHAPES[name]((i + 0.5) / COUNT, label);
      pen.fillStyle = colours[label];
      pen.beginPath();
      pen.arc(width / 2 + scale * x, height / 2 - scale * y, DOT, 0, 7);
      pen.fill();
    }
}

function three(game: Game, canvas: HTMLCanvasElement): void {
  const { pen, width, height } = context(canvas);
  const side = Math.floor((height - 6) / 8);
  pen.fillStyle = game.themes.signal.value.colours.ink;
  THREE.forEach((row, i) =>
    [...row].forEach((letter, j) => {
      pen.globalAlpha = (Number(letter) || 0) / 9;
      pen.fillRect(width / 2 + (j - 4) * side, height / 2 + (i - 4) * side, side, side);
    }),
  );
}

/** Draw points of a plane: those to learn from as discs, those held out as rings. */
export function points(
  pen: CanvasRenderingContext2D, given: Point[], ring: boolean, colours: [string, string], paper: string,
  place: (x: number, y: number) => [number, number], radius: number,
): void {
  for (const [x, y, label] of given) {
    pen.beginPath();
    pen.arc(...place(x, y), radius, 0, 7);
    pen.fillStyle = ring ? paper : colours[label];
    pen.strokeStyle = ring ? colours[label] : paper;
    pen.lineWidth = ring ? 1.6 : 1;
    pen.fill();
    pen.stroke();
  }
}
