/** Scales of charts: where a number lies, and which numbers are written beside them. */

export interface Axis {
  /** From 0 at the low end to 1 at the high one. */
  place(x: number): number;
  ticks: { at: number; says: string }[];
  log: boolean;
}

/** So many times larger than the smallest must the largest be for a logarithmic axis. */
const WIDE = 30;

export function linear(low: number, high: number, most = 4): Axis {
  if (!(high > low)) [low, high] = [low - Math.abs(low || 1) / 2, high + Math.abs(high || 1) / 2];
  const rough = (high - low) / most;
  const ten = 10 ** Math.floor(Math.log10(rough));
  const unit = [1, 2, 5, 10].find((each) => each * ten >= rough)! * ten;
  const ticks = [];
  for (let k = Math.ceil(low / unit - 1e-9); k * unit <= high * (1 + 1e-9); k++)
    ticks.push({ at: (k * unit - low) / (high - low), says: said(k * unit) });
  return { place: (x) => (x - low) / (high - low), ticks, log: false };
}

export function logarithmic(low: number, high: number, most = 4): Axis {
  let [a, b] = [Math.log10(low), Math.log10(high)];
  if (b - a < 0.5) [a, b] = [(a + b) / 2 - 0.25, (a + b) / 2 + 0.25];
  const place = (x: number) => (Math.log10(x) - a) / (b - a);
  const apart = Math.max(1, Math.ceil((b - a) / most));
  const ticks = [];
  for (let k = Math.ceil(a / apart - 1e-9) * apart; k <= b + 1e-9; k += apart)
    ticks.push({ at: place(10 ** k), says: power(k) });
  if (ticks.length < 2)
    for (let k = Math.floor(a); k <= b; k++)
      for (const digit of [2, 5]) {
        const at = place(digit * 10 ** k);
        if (at >= 0 && at <= 1) ticks.push({ at, says: said(digit * 10 ** k) });
      }
  return { place, ticks, log: true };
}

/** Linear, or logarithmic where the numbers are positive and far apart. */
export function fitting(numbers: number[]): Axis {
  const finite = numbers.filter(Number.isFinite);
  const low = finite.reduce((a, b) => Math.min(a, b), finite[0] ?? 0);
  const high = finite.reduce((a, b) => Math.max(a, b), finite[0] ?? 1);
  if (low > 0 && high / low > WIDE) return logarithmic(low / 1.2, high * 1.2);
  const spare = 0.06 * (high - low);
  return linear(low - spare, high + spare);
}

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** "10⁻³" */
export function power(exponent: number): string {
  if (exponent === 0) return "1";
  if (exponent === 1) return "10";
  const digits = [...String(Math.abs(exponent))].map((digit) => RAISED[Number(digit)]).join("");
  return `10${exponent < 0 ? "⁻" : ""}${digits}`;
}

/** Three digits, as one writes them: "0.31", "2.1·10⁻⁵". */
export function said(x: number | null | undefined): string {
  if (x === null || x === undefined) return "—";
  if (Number.isNaN(x)) return "nan";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  const size = Math.abs(x);
  if (size === 0) return "0";
  if (size >= 1e-3 && size < 1e5) return String(Number(x.toPrecision(3))).replace("-", "−");
  const [mantissa, exponent] = x.toExponential(1).split("e");
  const front = mantissa.replace(".0", "").replace("-", "−");
  return front === "1" ? power(Number(exponent)) : `${front}·${power(Number(exponent))}`;
}
