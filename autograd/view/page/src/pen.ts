/** What a scene is drawn with: a canvas to look at, or SVG to keep. */

import { widen } from "./reach";
import { MONO, SANS, SIZE, type Role } from "./text";

export interface Ink {
  fill?: string;
  stroke?: string;
  width?: number;
  dash?: readonly number[];
  /** Where the dashes begin: they move with it. */
  offset?: number;
  alpha?: number;
  cap?: "round";
}

export interface Curve {
  start: readonly [number, number];
  /** Each (x, y) or (x1, y1, x2, y2, x, y). */
  steps: readonly (readonly number[])[];
}

export type Tip = readonly [x: number, y: number, angle: number];

export interface Edges {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface Pen {
  rect(x: number, y: number, width: number, height: number, radius: number, ink: Ink): void;
  /** Many curves in one ink; far from the eye `straight` ones will do, and pieces outside of `view`
   * may be left out. */
  curves(curves: Curve[], ink: Ink, straight?: boolean, view?: Edges): void;
  /** Tips of arrows that end at (x, y), pointing along the angle. */
  tips(tips: Tip[], colour: string): void;
  /** Text at half its height on y. */
  text(
    text: string,
    x: number,
    y: number,
    role: Role,
    anchor: Anchor,
    colour: string,
    size?: number,
  ): void;
  /** What follows, up to `end`, is one thing with a tooltip. */
  begin(told: string): void;
  end(): void;
}

export type Anchor = "start" | "middle" | "end";

/** So many curves are one path: drawn faster than each alone, and than all at once. */
const BATCH = 200;

/** Half the height of a capital letter, as a share of the font size. */
export const MIDDLE = 0.36;

export function font(role: Role, size = SIZE[role]): string {
  const bold = role === "name" || role === "title" ? "600 " : "";
  return `${bold}${size}px ${role === "number" ? MONO : SANS}`;
}

/** The direction in which a curve arrives. */
export function arrival(curve: Curve): number {
  const step = curve.steps[curve.steps.length - 1];
  const [x, y] = step.slice(-2);
  let [fromX, fromY] =
    step.length > 2 ? step.slice(2, 4) : (curve.steps.at(-2)?.slice(-2) ?? curve.start);
  if (fromX === x && fromY === y) [fromX, fromY] = curve.start;
  return Math.atan2(y - fromY, x - fromX);
}

export class CanvasPen implements Pen {
  constructor(private readonly context: CanvasRenderingContext2D) {}

  rect(x: number, y: number, width: number, height: number, radius: number, ink: Ink): void {
    const { context } = this;
    context.globalAlpha = ink.alpha ?? 1;
    if (radius === 0) {
      if (ink.fill) {
        context.fillStyle = ink.fill;
        context.fillRect(x, y, width, height);
      }
      if (ink.stroke) {
        this.prepare(ink);
        context.strokeRect(x, y, width, height);
      }
    } else {
      context.beginPath();
      context.roundRect(x, y, width, height, Math.min(radius, width / 2, height / 2));
      if (ink.fill) {
        context.fillStyle = ink.fill;
        context.fill();
      }
      if (ink.stroke) {
        this.prepare(ink);
        context.stroke();
      }
    }
    context.globalAlpha = 1;
  }

  curves(curves: Curve[], ink: Ink, straight = false, view?: Edges): void {
    const { context } = this;
    context.globalAlpha = ink.alpha ?? 1;
    this.prepare(ink);
    for (let begin = 0; begin < curves.length; begin += BATCH) {
      context.beginPath();
      for (let i = begin; i < Math.min(begin + BATCH, curves.length); i++) {
        const { start, steps } = curves[i];
        let [x, y] = start;
        let down = false;
        for (const step of steps) {
          const [fromX, fromY] = [x, y];
          x = step[step.length - 2];
          y = step[step.length - 1];
          // a very long path is slow, even where nothing of it is seen
          if (view && outside(view, fromX, fromY, step)) {
            down = false;
            continue;
          }
          if (!down) context.moveTo(fromX, fromY);
          down = true;
          if (straight || step.length === 2)
            context.lineTo(x, y);
          else context.bezierCurveTo(step[0], step[1], step[2], step[3], step[4], step[5]);
        }
      }
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  private prepare(ink: Ink): void {
    const { context } = this;
    context.strokeStyle = ink.stroke!;
    context.lineWidth = ink.width ?? 1;
    context.setLineDash((ink.dash ?? []) as number[]);
    context.lineDashOffset = ink.offset ?? 0;
    context.lineCap = ink.cap ?? "butt";
  }

  tips(tips: Tip[], colour: string): void {
    const { context } = this;
    context.fillStyle = colour;
    context.beginPath();
    for (const [x, y, angle] of tips) {
      const c = Math.cos(angle);
      const s = Math.sin(angle);
      const corner = (along: number, across: number): [number, number] => [
        x + along * c - across * s,
        y + along * s + across * c,
      ];
      context.moveTo(...corner(-6.5, -3.1));
      context.lineTo(...corner(0.2, 0));
      context.lineTo(...corner(-6.5, 3.1));
      context.lineTo(...corner(-4.9, 0));
      context.closePath();
    }
    context.fill();
  }

  text(
    text: string,
    x: number,
    y: number,
    role: Role,
    anchor: Anchor,
    colour: string,
    size = SIZE[role],
  ): void {
    const { context } = this;
    context.font = font(role, size);
    context.fillStyle = colour;
    context.textAlign = anchor === "middle" ? "center" : anchor;
    context.fillText(text, x, y + MIDDLE * size);
  }

  begin(): void {}
  end(): void {}
}

/** Draws a file; a colour "light|dark" follows its reader's setting. */
export class SvgPen implements Pen {
  readonly parts: string[] = [];
  /** What the dark page has otherwise: rules over the attributes, which are for the light one. */
  private readonly dark = new Set<string>();

  rect(x: number, y: number, width: number, height: number, radius: number, ink: Ink): void {
    const r = Math.min(radius, width / 2, height / 2);
    this.parts.push(
      `<rect x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}" rx="${n(r)}"` +
        `${this.inked(ink)}/>`,
    );
  }

  curves(curves: Curve[], ink: Ink): void {
    for (const { start, steps } of curves) {
      let d = `M${n(start[0])} ${n(start[1])}`;
      for (const step of steps) d += (step.length === 2 ? "L" : "C") + step.map(n).join(" ");
      this.parts.push(`<path d="${d}"${this.inked({ ...ink, fill: "none" })}/>`);
    }
  }

  tips(tips: Tip[], colour: string): void {
    for (const [x, y, angle] of tips) {
      const turn = `translate(${n(x)} ${n(y)}) rotate(${n((angle * 180) / Math.PI)})`;
      this.parts.push(
        `<path d="M-6.5-3.1.2 0-6.5 3.1-4.9 0z"${this.coloured({ fill: colour })} transform="${turn}"/>`,
      );
    }
  }

  text(
    text: string,
    x: number,
    y: number,
    role: Role,
    anchor: Anchor,
    colour: string,
    size = SIZE[role],
  ): void {
    const bold = role === "name" || role === "title" ? ' font-weight="600"' : "";
    const family = role === "number" ? ` font-family="${MONO}"` : "";
    this.parts.push(
      `<text x="${n(x)}" y="${n(y + MIDDLE * size)}" font-size="${size}" text-anchor="${anchor}"` +
        `${this.coloured({ fill: colour })}${bold}${family}>${escape(text)}</text>`,
    );
  }

  begin(told: string): void {
    this.parts.push(`<g>${told ? `<title>${escape(told)}</title>` : ""}`);
  }

  end(): void {
    this.parts.push("</g>");
  }

  /** What follows, up to `end`, is moved. */
  shift(x: number, y: number): void {
    this.parts.push(`<g transform="translate(${n(x)} ${n(y)})">`);
  }

  private inked(ink: Ink): string {
    let text = this.coloured({ fill: ink.fill ?? "none", stroke: ink.stroke });
    if (ink.stroke) text += ` stroke-width="${ink.width ?? 1}"`;
    if (ink.dash) text += ` stroke-dasharray="${ink.dash.join(" ")}"`;
    if (ink.cap) text += ` stroke-linecap="${ink.cap}"`;
    if (ink.alpha !== undefined) text += ` opacity="${ink.alpha}"`;
    return text;
  }

  private coloured(inks: { fill: string; stroke?: string }): string {
    let text = "";
    const classes = [];
    for (const [what, colour] of Object.entries(inks)) {
      if (!colour) continue;
      const [light, dark] = colour.split("|");
      text += ` ${what}="${light}"`;
      if (!dark) continue;
      const name = (what[0] + light + dark).replaceAll("#", "-");
      this.dark.add(`.glassgrad-saved .${name}{${what}:${dark}}`);
      classes.push(name);
    }
    return classes.length ? `${text} class="${classes.join(" ")}"` : text;
  }

  /** All that was drawn, as a file. */
  file(width: number, height: number, title: string): string {
    return (
      `<svg xmlns="http://www.w3.org/2000/svg" width="${n(width)}" height="${n(height)}" ` +
      `viewBox="0 0 ${n(width)} ${n(height)}" font-family="${SANS}" class="glassgrad-saved" ` +
      `role="img">` +
      `<title>${escape(title)}</title>\n<style>@media(prefers-color-scheme:dark){` +
      `${[...this.dark].join("")}}</style>\n${this.parts.join("\n")}\n</svg>\n`
    );
  }
}

/** Whether a piece from (x, y) lies on the far side of an edge. */
function outside(view: Edges, x: number, y: number, step: readonly number[]): boolean {
  const [left, top, right, bottom] = widen([x, y, x, y], step);
  const far = 8;
  return (
    right < view.left - far ||
    left > view.right + far ||
    bottom < view.top - far ||
    top > view.bottom + far
  );
}

function n(number: number): string {
  return number.toFixed(1).replace(/\.0$/, "");
}

function escape(text: string): string {
  return text.replace(
    /[&<>"]/g,
    (letter) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[letter]!,
  );
}
