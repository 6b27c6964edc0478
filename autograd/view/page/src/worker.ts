/**
 * Layouts beside the page: a worker computes, and the page stays alive meanwhile.
 *
 * The worker's script lies inside the bundle as text, because a page opened from a file may load
 * no script from elsewhere.  Where there are no workers (some notebooks forbid them), the page
 * lays out itself.
 */

import { layout, type Layout } from "./layout";
import { checked, type Picture } from "./picture";

/** The bundled text of `layout_worker.ts`; `build.mjs` puts it here. */
declare const LAYOUT_WORKER: string;

export interface Request {
  id: number;
  picture: Picture;
  wrap: number | null;
}

export type Answer = { id: number; layout: Layout } | { id: number; error: string };

/** The layout was not finished, because another was asked for. */
export class LayoutCancelled extends Error {
  override name = "LayoutCancelled";
}

/** The layout took longer than it was given. */
export class LayoutTimeout extends Error {
  override name = "LayoutTimeout";
}

let worker: Worker | null | undefined; // null: there are none here; undefined: not yet tried
let asked = 0;
let cancel: ((reason: Error) => void) | null = null; // ends the request under way

/**
 * Lay out `picture`; see `layout` for `wrap`.  `timeout` is in milliseconds.
 *
 * Only the last request counts: one still under way is stopped and rejects with
 * `LayoutCancelled`.  Rejects with `LayoutTimeout` when the time is over (the page's own thread
 * cannot be interrupted, so not without workers), and with `PictureError` where `picture`
 * contradicts itself.
 */
export async function layoutInWorker(
  picture: Picture,
  { wrap = null, timeout = 10_000 }: { wrap?: number | null; timeout?: number } = {},
): Promise<Layout> {
  cancel?.(new LayoutCancelled("another layout was asked for"));
  const id = ++asked;
  checked(picture);
  if (worker === undefined) worker = started();
  const found = worker && (await answered(worker, { id, picture, wrap }, timeout));
  if (found) return found;
  await new Promise((resolve) => setTimeout(resolve)); // the page first shows that it is busy
  if (id !== asked) throw new LayoutCancelled("another layout was asked for");
  return layout(picture, wrap);
}

/** What `worker` answers, or null where it turns out that workers do not run here. */
function answered(worker: Worker, request: Request, timeout: number): Promise<Layout | null> {
  return new Promise((resolve, reject) => {
    const over = setTimeout(() => {
      const count = request.picture.boxes.length.toLocaleString("en");
      const limit = `${timeout / 1000} s`;
      const advice = "fold some of them away";
      stop(new LayoutTimeout(`no layout of ${count} boxes within ${limit}: ${advice}`));
    }, timeout);
    const finish = () => {
      clearTimeout(over);
      cancel = null;
    };
    const stop = (reason: Error) => {
      finish();
      restart();
      reject(reason);
    };
    cancel = stop;
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if (data.id !== request.id) return;
      finish();
      if ("layout" in data) resolve(data.layout);
      else reject(new Error(`layout: ${data.error}`));
    };
    worker.onerror = (event) => {
      event.preventDefault();
      finish();
      restart(null);
      resolve(null);
    };
    worker.postMessage(request);
  });
}

/** Stop the worker; the next request starts `another`, or none where that is null. */
function restart(another: null | undefined = undefined): void {
  worker?.terminate();
  worker = another;
}

function started(): Worker | null {
  const url = URL.createObjectURL(new Blob([LAYOUT_WORKER], { type: "text/javascript" }));
  try {
    return new Worker(url);
  } catch {
    return null;
  }
}
