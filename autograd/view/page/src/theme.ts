/** Light or dark: the reader's system decides, and a button overrules it. */

import { Signal } from "./dom";
import type { Colours, Palette } from "./trace";

export interface Theme {
  dark: boolean;
  colours: Colours;
  heat: string[];
  /** Fill, border and name of a kind of box. */
  kind(kind: string): [string, string, string];
}

export class Themes {
  readonly signal: Signal<Theme>;
  private chosen: boolean | null = null;

  constructor(
    private readonly palette: Palette,
    private readonly home: HTMLElement,
  ) {
    const system = matchMedia("(prefers-color-scheme: dark)");
    this.signal = new Signal(this.make(system.matches));
    system.addEventListener("change", () => this.chosen ?? this.show(system.matches));
    this.show(system.matches);
  }

  toggle(): void {
    this.chosen = !this.signal.value.dark;
    this.show(this.chosen);
  }

  private show(dark: boolean): void {
    const theme = this.make(dark);
    const names = {
      paper: "paper",
      edge: "edge",
      ink: "ink",
      faint: "faint",
      line: "line",
      rule: "rule",
      tint: "tint",
      alarm: "alarm",
      back: "back",
    };
    for (const [name, colour] of Object.entries(names))
      this.home.style.setProperty(`--${name}`, theme.colours[colour]);
    const [fill, border] = theme.kind("parameter");
    this.home.style.setProperty("--accent", border);
    this.home.style.setProperty("--accent-soft", fill);
    this.home.style.setProperty("--accent-ink", theme.kind("parameter")[2]);
    this.home.dataset.theme = dark ? "dark" : "light";
    document.documentElement.style.colorScheme = dark ? "dark" : "light";
    document.documentElement.style.background = theme.colours.paper;
    this.signal.set(theme);
  }

  private make(dark: boolean): Theme {
    const colours = dark ? this.palette.dark : this.palette.light;
    const kinds = new Map<string, [string, string, string]>();
    for (const [name, value] of Object.entries(colours)) {
      const parts = value.split(" ");
      if (parts.length === 3) kinds.set(name, parts as [string, string, string]);
    }
    const heat = dark ? this.palette.heat.dark : this.palette.heat.light;
    return { dark, colours, heat, kind: (kind) => kinds.get(kind)! };
  }
}
