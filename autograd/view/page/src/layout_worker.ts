/** The other end of `worker.ts`: a worker that lays out one picture after another. */

import { layout } from "./layout";
import type { Answer, Request } from "./worker";

addEventListener("message", ({ data: { id, picture, wrap } }: MessageEvent<Request>) => {
  let answer: Answer;
  try {
    answer = { id, layout: layout(picture, wrap) };
  } catch (error) {
    answer = { id, error: error instanceof Error ? error.message : String(error) };
  }
  postMessage(answer);
});
