/** What stands in a unit's square: its map of the plane, its weights, a probability, a digit. */

import { float } from "../numbers";
import type { Theme } from "../theme";
import type { Num } from "../trace";
import { bytes, type State } from "./events";
import type { Shown } from "./game";
import { field, font, ink, largest, poles, scaled } from "./paint";
import { Reading } from "./words";

const MAP = 12;
const PIXELS = 64;
const INSET = 2; // px

/** The plane's own coordinates as maps: x grows to the right, y upwards. */
const INPUTS = [0, 1].map((axis) =>
  Uint8Array.from({ length: MAP * MAP }, (_, i) => 128 + 127 * (2 * ((axis ? Math.floor(i / MAP) : i % MAP) / (MAP - 1)) - 1)),
);

/** The picture of a unit, or null where bars have to do. */
export function face(state: State, shown: Shown, theme: Theme, column: number, unit: number): HTMLCanvasElement | null {
  const { layers, plane, digits } = state;
  if (digits && column === 0) return ink(bytes(digits.samples[0].image), theme);
  if (digits && column === 1 && layers.length > 1) return pixels(state, shown, theme, unit);
  if (digits) return null;
  if (column === 0) return field(INPUTS[unit], theme);
  const map = layers[column - 1].units?.[unit];
  if (map) return Number.isFinite(float(map.scale)) ? field(bytes(map.values), theme) : null;
  return plane ? field(bytes(plane.values), theme) : null;
}

/** What a unit looks for in the 64 pixels. */
function pixels(state: State, shown: Shown, theme: Theme, unit: number): HTMLCanvasElement | null {
  const xs = column(state, shown, 1, unit);
  return xs.length === PIXELS ? field(scaled(xs.map(float), largest(xs)), theme, false) : null;
}

/** The weights of a unit, or their gradients; [] where they are not sent. */
function column(state: State, shown: Shown, column: number, unit: number): Num[] {
  const reading = new Reading(state, { column, unit });
  const found = reading.incoming.map((k) => (shown === "weights" ? reading.weight(k) : reading.slope(k)));
  return found.filter((x): x is Num => x !== undefined);
}

/** Draw a unit into a square whose upper left corner is given. */
export function drawUnit(
  pen: CanvasRenderingContext2D, state: State, shown: Shown, theme: Theme,
  at: { column: number; unit: number }, x: number, y: number, side: number,
): void {
  const { layers, digits } = state;
  const picture = face(state, shown, theme, at.column, at.unit);
  pen.fillStyle = theme.colours.paper;
  pen.fillRect(x, y, side, side);
  if (picture) {
    pen.imageSmoothingEnabled = !digits;
    pen.drawImage(picture, x, y, side, side);
  } else if (digits && at.column === layers.length) probability(pen, digits.samples[0].probabilities, theme, at.unit, x, y, side);
  else bars(pen, column(state, shown, at.column, at.unit).map(float), theme, x, y, side);
}

/** An output of the digits: how likely it is for the digit that is shown. */
function probability(pen: CanvasRenderingContext2D, shares: Num[], theme: Theme, unit: number, x: number, y: number, side: number): void {
  const share = float(shares[unit]);
  pen.fillStyle = theme.kind("parameter")[0];
  pen.fillRect(x, y, side, side);
  pen.fillStyle = theme.kind("parameter")[1];
  pen.globalAlpha = 0.55;
  pen.fillRect(x, y + side * (1 - share), side, side * share);
  pen.globalAlpha = 1;
  pen.fillStyle = theme.colours.ink;
  pen.font = font(Math.min(15, side * 0.6));
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillText(String(unit), x + side / 2, y + side / 2 + 1);
}

function bars(pen: CanvasRenderingContext2D, xs: number[], theme: Theme, x: number, y: number, side: number): void {
  const limit = largest(xs) || 1;
  const wide = (side - 2 * INSET) / Math.max(1, xs.length);
  const [cold, warm] = poles(theme);
  xs.forEach((value, i) => {
    const high = ((side / 2 - INSET) * value) / limit;
    pen.fillStyle = value < 0 ? cold : warm;
    pen.fillRect(x + INSET + i * wide, y + side / 2 - Math.max(0, high), Math.max(0.5, wide - (wide > 3 ? 1 : 0)), Math.abs(high));
  });
  pen.fillStyle = theme.colours.rule;
  pen.fillRect(x + INSET, y + side / 2, side - 2 * INSET, 0.5);
}
