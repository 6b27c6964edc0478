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

  /** Both at once, for a file that follows its reader's setting: each colour as "light|dark". */
  get both(): Theme {
    const { light, dark, heat } = this.palette;
    const pair = (a: string, b: string) =>
      a.split(" ").map((colour, i) => `${colour}|${b.split(" ")[i]}`).join(" ");
    const colours: Colours = {};
    for (const name of Object.keys(light)) colours[name] = pair(light[name], dark[name]);
    return themed(colours, heat.light.map((colour, i) => pair(colour, heat.dark[i])), false);
  }

  private make(dark: boolean): Theme {
    const { palette } = this;
    return dark
      ? themed(palette.dark, palette.heat.dark, true)
      : themed(palette.light, palette.heat.light, false);
  }
}

function themed(colours: Colours, heat: string[], dark: boolean): Theme {
  const kinds = new Map<string, [string, string, string]>();
  for (const [name, value] of Object.entries(colours)) {
    const parts = value.split(" ");
    if (parts.length === 3) kinds.set(name, parts as [string, string, string]);
  }
  return { dark, colours, heat, kind: (kind) => kinds.get(kind)! };
}
