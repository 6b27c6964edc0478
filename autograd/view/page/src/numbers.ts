/** Numbers, shapes and sizes as they are read. */

import type { Num, Stats } from "./trace";

/** What stands for a number that was not computed: never 0, which would look like one. */
export const MISSING = "—";

/** As wide as the widest number that `short` gives: boxes are sized with it. */
export const WIDEST = "-0.00000";

const ROOM = WIDEST.length;

export function float(x: Num): number {
  return typeof x === "number" ? x : x === "nan" ? NaN : x === "inf" ? Infinity : -Infinity;
}

/** Four decimals near 1, powers of ten far from it; at most eight characters. */
export function short(x: Num): string {
  const number = float(x);
  if (Number.isNaN(number)) return "nan";
  if (!Number.isFinite(number)) return number > 0 ? "∞" : "-∞";
  const size = Math.abs(number);
  if (size === 0 || (size >= 1e-3 && size < 1e5)) {
    const whole = Math.trunc(number).toString().length + (number < 0 && size < 1 ? 1 : 0);
    return number.toFixed(Math.max(0, Math.min(4, ROOM - 1 - whole)));
  }
  for (const digits of [2, 1, 0]) {
    const text = power(number, digits);
    if (text.length <= ROOM) return text;
  }
  return power(number, 0);
}

/** As many digits as it takes to tell numbers apart, in words of a formula. */
export function long(x: Num): string {
  const number = float(x);
  if (!Number.isFinite(number)) return short(x);
  const size = Math.abs(number);
  const text =
    size === 0 || (size >= 1e-3 && size < 1e6)
      ? Number(number.toPrecision(6)).toString()
      : power(number, 4);
  return text.replace("-", "−");
}

function power(number: number, digits: number): string {
  const [mantissa, exponent] = number.toExponential(digits).split("e");
  const sign = exponent.startsWith("-") ? "-" : "+";
  return `${mantissa}e${sign}${exponent.slice(1).padStart(2, "0")}`;
}

export function dimensions(shape: number[] | undefined): string {
  return shape === undefined ? "" : shape.join("×") || "scalar";
}

export function bytes(count: number): string {
  if (count < 1000) return `${count} B`;
  for (const [unit, size] of [
    ["kB", 1e3],
    ["MB", 1e6],
    ["GB", 1e9],
  ] as const) {
    if (count < size * 1000) return `${(count / size).toPrecision(3)} ${unit}`;
  }
  return `${(count / 1e12).toPrecision(3)} TB`;
}

export function counted(count: number, thing: string): string {
  return `${count.toLocaleString("en")} ${thing}${count === 1 ? "" : "s"}`;
}

export function percent(share: number): string {
  const text = (100 * share).toFixed(share > 0 && share < 0.1 ? 1 : 0);
  return `${share > 0 && text === "0.0" ? "<0.1" : text} %`;
}

export function ordinal(n: number): string {
  const teen = n % 100 >= 11 && n % 100 <= 13;
  return `${n}${teen ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th")}`;
}

export function isStats(x: Stats | Num | undefined): x is Stats {
  return typeof x === "object";
}

/** What is said of data or a gradient in one number: an array's norm, which is nan or ∞ where an
 * element is, though `x.norm` is that of the finite ones. */
export function norm(x: Stats | Num): Num {
  return !isStats(x) ? x : x.nan ? "nan" : x.inf ? "inf" : x.norm;
}

/** The size of data or of a gradient: a number's absolute value, an array's norm. */
export function size(x: Stats | Num | undefined): number | null {
  return x === undefined ? null : Math.abs(float(norm(x)));
}

export function finite(x: Stats | Num | undefined): boolean {
  if (x === undefined) return true;
  return isStats(x) ? x.nan === 0 && x.inf === 0 : Number.isFinite(float(x));
}

const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";

export function subscript(n: number): string {
  return [...String(n)].map((digit) => SUBSCRIPTS[Number(digit)]).join("");
}
