/** The layout of a picture: at once where it is small, else beside the page, and against the clock.
 *
 * The worker runs the page's own script, which finds that it has no document and then only lays out.
 */

import { layout, type Layout } from "./layout";
import type { Picture } from "./picture";

/** So many boxes and arrows are laid out before anybody notices. */
const FEW = 900;
/** Milliseconds after which a layout is given up. */
const LIMIT = 30_000;

const script = typeof document === "undefined" ? "" : (document.currentScript?.textContent ?? "");
let worker: Worker | null = null;
let waiting: { resolve(layout: Layout): void; reject(reason: Error): void } | null = null;

export function arrange(picture: Picture, wrap: number | null): Layout | Promise<Layout> {
  if (picture.boxes.length + picture.arrows.length <= FEW || !script) return layout(picture, wrap);
  waiting?.reject(new Error("another layout was asked for"));
  worker?.terminate(); // what it was doing is of no use any more
  try {
    worker = new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  } catch {
    return layout(picture, wrap); // a page that may have no workers
  }
  return new Promise((resolve, reject) => {
    const mine = { resolve, reject };
    waiting = mine;
    const over = setTimeout(() => {
      worker?.terminate();
      reject(new Error(`the layout took longer than ${LIMIT / 1000} s`));
    }, LIMIT);
    const done = () => {
      clearTimeout(over);
      if (waiting === mine) waiting = null;
    };
    worker!.onmessage = ({ data }: MessageEvent<Layout>) => (done(), resolve(data));
    worker!.onerror = (event) => {
      event.preventDefault();
      done();
      resolve(layout(picture, wrap));
    };
    worker!.postMessage([picture, wrap]);
  });
}

/** In a worker: lay out whatever picture arrives. */
export function serve(): void {
  self.onmessage = ({ data }: MessageEvent<[Picture, number | null]>) =>
    self.postMessage(layout(...data));
}
