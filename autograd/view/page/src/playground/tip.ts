/** The numbers behind a unit or an edge that is pointed at, and the unit's map, large. */

import { h } from "../dom";
import { float, long } from "../numbers";
import type { State } from "./events";
import type { Game, Spot } from "./game";
import { context } from "./paint";
import { drawUnit, face } from "./units";
import { Reading, told } from "./words";

export class Tip {
  private readonly title = h("b");
  private readonly map = h("canvas", { class: "large" });
  private readonly formula = h("span", { class: "number formula" });
  private readonly facts = h("dl", { class: "facts number" });
  readonly element = h("div", { class: "tooltip" }, this.title, h("div", { class: "pair" }, this.map, this.facts), this.formula);
  private x = 0;
  private y = 0;

  constructor(private readonly field: HTMLElement) {
    this.element.hidden = true;
  }

  place(x: number, y: number): void {
    [this.x, this.y] = [x, y];
  }

  show(game: Game): void {
    const spot = game.spot.value;
    const state = game.state.value!;
    const gone = !spot || spot.column > state.layers.length || (spot.column > 0 && spot.unit >= state.layers[spot.column - 1].outputs);
    this.element.hidden = gone;
    if (gone) return;
    const reading = new Reading(state, spot);
    const edge = spot.from !== undefined;
    this.title.textContent = reading.title;
    this.formula.textContent = edge ? "" : reading.formula;
    this.formula.hidden = !this.formula.textContent;
    this.facts.replaceChildren(...facts(reading).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
    const theme = game.themes.signal.value;
    this.map.hidden = edge || !face(state, game.shown.value, theme, spot.column, spot.unit);
    if (!this.map.hidden) {
      const { pen, width } = context(this.map);
      drawUnit(pen, state, game.shown.value, theme, spot, 0, 0, width);
    }
    const { offsetWidth, offsetHeight } = this.element;
    const right = this.x + 16 + offsetWidth > this.field.clientWidth;
    this.element.style.left = `${Math.max(0, right ? this.x - offsetWidth - 16 : this.x + 16)}px`;
    this.element.style.top = `${Math.max(0, Math.min(this.y + 12, this.field.clientHeight - offsetHeight))}px`;
  }

  /** The same for who listens. */
  words(state: State, spot: Spot): string {
    const reading = new Reading(state, spot);
    return [reading.title, reading.formula, ...facts(reading).map(([name, value]) => `${name} ${value}`)].filter(Boolean).join("; ");
  }
}

function facts(reading: Reading): [string, string][] {
  const { state, spot } = reading;
  if (spot.from !== undefined) {
    const slope = reading.slope(spot.from);
    const found: [string, string][] = [["weight w", told(reading.weight(spot.from))], ["gradient ∂L/∂w", told(slope)]];
    if (slope !== undefined && state.settings.optimizer === "sgd") found.push(["step −η ∂L/∂w", long(-state.settings.learning_rate * float(slope))]);
    return found;
  }
  if (!reading.layer) return [];
  const map = reading.layer.units?.[spot.unit];
  const found: [string, string][] = [["bias b", told(reading.bias)], ["gradient ∂L/∂b", told(reading.biasSlope)]];
  if (map) found.push(["map's range", `±${told(map.scale)}`]);
  return found;
}
