/** A training that goes on: its frames arrive as events, and the page keeps up. */

import type { Frame, Header } from "./run";
import type { Replay } from "./state";

const REST = 150; // ms between two drawings of what has come
const AGAIN = 2000; // ms until a connection is tried again that was refused

export function follow(replay: Replay, url: string): void {
  let timer = 0;
  let ended = false;
  const later = () => {
    timer ||= window.setTimeout(() => {
      timer = 0;
      replay.changed();
    }, REST);
  };
  const connect = () => {
    const source = new EventSource(url);
    const on = (name: string, act: (data: string) => void) =>
      source.addEventListener(name, (event) => act((event as MessageEvent<string>).data));
    source.onopen = () => replay.status.set(ended ? "ended" : "live");
    source.onerror = () => {
      replay.status.set(ended ? "ended" : "connection lost, trying again …");
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, AGAIN);
    };
    on("header", (data) => {
      const header = JSON.parse(data) as Header;
      ended = header.ended === true;
      replay.status.set(ended ? "ended" : "live");
      replay.begin(header);
    });
    on("frame", (data) => {
      replay.run.take(JSON.parse(data) as Frame);
      later();
    });
    on("reset", () => {
      replay.run.frames.length = 0;
      later();
    });
    on("end", () => {
      ended = true;
      replay.status.set("ended");
    });
  };
  replay.status.set("connecting …");
  connect();
}
