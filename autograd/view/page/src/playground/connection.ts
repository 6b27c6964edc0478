/** The line to the server: its events, and what it is asked for. */

import { Signal } from "../dom";
import type { Live } from "../trace";
import type { Settings, Setup, State } from "./events";

/** Milliseconds until the next try, where the browser itself does not try again. */
const RETRY = 1000;

export interface Wish {
  do?: "start" | "pause" | "step" | "reset";
  settings?: Partial<Settings>;
}

export class Connection {
  readonly alive = new Signal<"connecting" | "open" | "lost">("connecting");
  private source: EventSource | null = null;
  private queue = new Map<string, { wish: Wish; heard: ((error: string) => void)[] }>();
  private sending = false;

  constructor(
    private readonly live: Live,
    private readonly onSetup: (setup: Setup) => void,
    private readonly onState: (state: State) => void,
  ) {
    this.connect();
    setInterval(() => this.check(), RETRY);
  }

  /**
   * Ask for something, after what was asked before; the answer is "" or what is wrong.  Of wishes
   * with one name that wait, only the latest is sent.
   */
  ask(name: string, wish: Wish): Promise<string> {
    return new Promise((resolve) => {
      const heard = this.queue.get(name)?.heard ?? [];
      this.queue.set(name, { wish, heard: [...heard, resolve] });
      void this.send();
    });
  }

  private async send(): Promise<void> {
    if (this.sending) return;
    this.sending = true;
    for (const [name, { wish, heard }] of this.queue) {
      this.queue.delete(name);
      const error = await this.post(wish);
      for (const tell of heard) tell(error);
    }
    this.sending = false;
  }

  private async post(wish: Wish): Promise<string> {
    try {
      const answer = await fetch(this.live.control!, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(wish),
      });
      const text = await answer.text();
      if (answer.headers.get("Content-Type") !== "application/json") return text;
      return (JSON.parse(text) as { error?: string }).error ?? "";
    } catch {
      return "no answer: the connection is lost";
    }
  }

  private connect(): void {
    const source = new EventSource(this.live.events);
    this.source = source;
    source.onopen = () => this.alive.set("open");
    source.onerror = () => this.alive.set("lost");
    const hear = <T>(event: string, tell: (told: T) => void) =>
      source.addEventListener(event, ({ data }) => {
        tell(JSON.parse(data) as T);
      });
    hear("setup", this.onSetup);
    hear("state", this.onState);
  }

  private check(): void {
    if (this.source?.readyState === EventSource.CLOSED) this.connect();
  }
}
