/** The panel beside the drawing; on a phone a sheet below it that can be drawn up. */

import { h } from "./dom";

/** Heights of the sheet, as shares of the field. */
const STOPS = [0.14, 0.46, 0.86];

export interface Side extends HTMLElement {
  /** Draw the sheet up, if it is nearly closed. */
  lift(): void;
  /** Show the panel from its beginning, unless the pointer is at work further down in it. */
  rewind(): void;
}

export function sheet(...sections: (HTMLElement | null)[]): Side {
  const grip = h("button", { type: "button", class: "grip", "aria-label": "Panel: less or more" });
  const inner = h("div", { class: "scroll" }, ...sections);
  const side = h("aside", { class: "side" }, grip, inner) as HTMLElement as Side;
  let stop = 0;
  let from: number | null = null;
  let dragged = false;
  const set = (share: number) => side.style.setProperty("--share", String(share));
  const rest = (to: number) => {
    stop = Math.max(0, Math.min(STOPS.length - 1, to));
    side.classList.add("settling");
    set(STOPS[stop]);
  };
  set(STOPS[0]);
  grip.addEventListener("pointerdown", (event) => {
    grip.setPointerCapture(event.pointerId);
    from = event.clientY;
    dragged = false;
    side.classList.remove("settling");
  });
  grip.addEventListener("pointermove", (event) => {
    if (from === null || Math.abs(event.clientY - from) < 6) return;
    dragged = true;
    const { top, height } = side.parentElement!.getBoundingClientRect();
    set(Math.max(0.08, Math.min(0.9, 1 - (event.clientY - top) / height)));
  });
  grip.addEventListener("pointerup", (event) => {
    if (from !== null && dragged) {
      const { top, height } = side.parentElement!.getBoundingClientRect();
      const share = 1 - (event.clientY - top) / height;
      const near = STOPS.map((each) => Math.abs(each - share));
      rest(near.indexOf(Math.min(...near)));
    }
    from = null;
  });
  grip.addEventListener("click", () => !dragged && rest(stop === 0 ? 1 : 0));
  side.rewind = () => {
    if (!inner.querySelector(".code:hover")) inner.scrollTop = 0;
  };
  side.lift = () => stop === 0 && rest(1);
  return side;
}
