/** What the page knows: the latest of the server's state, and what is looked at. */

import { h, Signal } from "../dom";
import { Themes } from "../theme";
import type { Payload } from "../trace";
import { Connection, type Wish } from "./connection";
import type { Settings, Setup, State } from "./events";

export type Shown = "weights" | "gradients";

/** A place in the network: unit `unit` of column `column` (0 = inputs), or an edge that ends there. */
export interface Spot {
  column: number;
  unit: number;
  from?: number;
}

export class Game {
  readonly setup = new Signal<Setup | null>(null);
  readonly state = new Signal<State | null>(null);
  readonly shown = new Signal<Shown>("weights");
  readonly spot = new Signal<Spot | null>(null);
  /** What is wrong, by the name of the control that caused it; "" is nothing's in particular. */
  readonly wrong = new Signal<{ [control: string]: string }>({});
  readonly waiting = new Set<string>();
  readonly themes: Themes;
  readonly connection: Connection;
  readonly live = h("div", { class: "unseen", "aria-live": "polite" });
  private painters: (() => void)[] = [];
  private planned = 0;

  constructor(payload: Payload, home: HTMLElement) {
    this.themes = new Themes(payload.palette, home);
    this.connection = new Connection(
      payload.live!,
      (setup) => this.setup.set(setup),
      (state) => this.state.set(state),
    );
    for (const signal of [this.state, this.setup, this.shown, this.spot, this.themes.signal] as Signal<unknown>[])
      signal.watch(() => this.repaint());
  }

  /** Call `paint` before the next frame of the screen whenever anything has changed. */
  painter(paint: () => void): void {
    this.painters.push(paint);
  }

  repaint(): void {
    this.planned ||= requestAnimationFrame(() => {
      this.planned = 0;
      if (this.state.value && this.setup.value) for (const paint of this.painters) paint();
    });
  }

  get running(): boolean {
    return this.state.value?.running ?? false;
  }

  get settings(): Settings | undefined {
    return (this.state.value ?? this.setup.value)?.settings;
  }

  async do(what: NonNullable<Wish["do"]>): Promise<string> {
    return this.tell("", await this.connection.ask(`do ${what}`, { do: what }));
  }

  /** Change settings; what is wrong with them is shown beside the control of this name. */
  async set(settings: Partial<Settings>, control = Object.keys(settings)[0] ?? ""): Promise<string> {
    this.waiting.add(control);
    const error = await this.connection.ask(control, { settings });
    this.waiting.delete(control);
    return this.tell(control, error);
  }

  private tell(control: string, error: string): string {
    const { [control]: _, ...rest } = this.wrong.value;
    this.wrong.set(error ? { ...rest, [control]: error } : rest);
    return error;
  }
}
