/** How large the elements of an array are: counts by sign and power of two, zero apart. */

import { h, s } from "./dom";
import type { Hist } from "./trace";

const WIDE = 288;
const HIGH = 56;
const ZERO = 9; // px of the bar of zeros
const APART = 5;

export function histogram(hist: Hist, says: string): HTMLElement {
  const { first, negative, zero, positive } = hist;
  const bins = Math.max(negative.length, positive.length);
  const most = Math.max(1, zero, ...negative, ...positive);
  const half = (WIDE - ZERO) / 2 - APART;
  const side = Math.min(14, half / Math.max(1, bins));
  const middle = WIDE / 2;
  const drawing = s("svg", {
    viewBox: `0 0 ${WIDE} ${HIGH + 16}`,
    width: WIDE,
    height: HIGH + 16,
    role: "img",
    "aria-label": says,
  });
  const bar = (x: number, wide: number, count: number, kind: string, range: string) => {
    const high = count ? Math.max(1.5, (count / most) * HIGH) : 0;
    if (!count) return;
    drawing.append(
      s(
        "rect",
        { x, y: HIGH - high, width: Math.max(1, wide - 1), height: high, class: kind, rx: 1 },
        s("title", {}, `${range}: ${count.toLocaleString("en")}`),
      ),
    );
  };
  const edge = (k: number) => power(first + k);
  negative.forEach((count, k) =>
    bar(
      middle - ZERO / 2 - APART - (k + 1) * side,
      side,
      count,
      "cold",
      `−${edge(k + 1)} … −${edge(k)}`,
    ),
  );
  bar(middle - ZERO / 2, ZERO, zero, "zero", "exactly 0");
  positive.forEach((count, k) =>
    bar(middle + ZERO / 2 + APART + k * side, side, count, "warm", `${edge(k)} … ${edge(k + 1)}`),
  );
  drawing.append(s("path", { d: `M0 ${HIGH + 0.5}H${WIDE}`, class: "axis" }));
  const label = (x: number, text: string, anchor: string) =>
    drawing.append(s("text", { x, y: HIGH + 13, "text-anchor": anchor }, text));
  label(middle, "0", "middle");
  if (bins) {
    const end = bins * side + ZERO / 2 + APART;
    if (negative.some(Boolean))
      label(Math.max(0, middle - end), `−${edge(bins)}`, end > half - 20 ? "start" : "middle");
    if (positive.some(Boolean))
      label(Math.min(WIDE, middle + end), edge(bins), end > half - 20 ? "end" : "middle");
  }
  return h("div", { class: "histogram" }, drawing);
}

/** A power of two as a number to be read. */
function power(exponent: number): string {
  const x = 2 ** exponent;
  return x >= 0.001 && x < 100_000
    ? String(Number(x.toPrecision(2)))
    : x.toExponential(0).replace("e+", "e");
}
