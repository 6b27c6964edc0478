/** The replay of a training: what a page adds that holds a run, or follows one. */

import "./replay.css";
import { button, h } from "../dom";
import type { Parts } from "../main";
import { Tip } from "./chart";
import { changes } from "./compare";
import { keys } from "./keys";
import { legend } from "./legend";
import { follow } from "./live";
import { colours, Paint } from "./paint";
import { panel } from "./panel";
import type { Against } from "./state";
import { Replay } from "./state";
import { Transport } from "./transport";
import { verdict } from "./verdict";

function replaying({ app, field, side, bar }: Parts): object {
  const replay = new Replay(app);
  const tip = new Tip();
  const transport = new Transport(replay);
  field.append(legend(replay), transport.element);
  side.querySelector(".scroll")!.prepend(panel(replay, tip));
  app.home.append(tip.element);
  bar.querySelector("h1")!.after(modes(replay));
  keys(replay, transport);
  const { rewind } = side;
  side.rewind = () => replay.training.value || rewind(); // charts stay where they are being read
  const show = () => {
    app.home.classList.toggle("training", replay.training.value);
    if (replay.training.value && app.stepping.value) app.stopStepping();
    app.overlay.set(replay.training.value && replay.frame ? new Paint(replay) : null);
  };
  let asked = false;
  const later = () => {
    if (asked) return;
    asked = true;
    queueMicrotask(() => {
      asked = false;
      show();
    });
  };
  for (const signal of [
    replay.training,
    replay.at,
    replay.version,
    replay.measure,
    replay.against,
    app.sheet,
  ] as { watch(f: () => void): void }[])
    signal.watch(later);
  app.sheet.watch(({ graph }) => app.home.classList.toggle("bare", !graph.nodes.length));
  show();
  app.selected.watch((item) => {
    const { graph, trace } = app.sheet.value;
    if (!item) replay.follow("", "");
    else if (item.kind === "node")
      replay.follow(graph.nodes[item.index].key, graph.path(item.index));
    else if (item.kind === "scope") replay.follow("", trace.scopes[item.index].path);
  });
  const { live } = app.payload;
  if (live) {
    follow(replay, live.events);
    replay.version.watch(() => (bar.querySelector("h1")!.textContent = replay.run.header.title));
  }
  return {
    run: {
      get step() {
        return replay.step;
      },
      goto: (step: number) => replay.goto(step),
      get frames() {
        return replay.run.frames;
      },
      get status() {
        return replay.status.value;
      },
      verdict: () => verdict(replay.run, replay.at.value).text,
      /** log₂ of the gradient norms at a step by those at another, or of the other run. */
      compare(a: number | "other", b: number) {
        const against: Against = a === "other" ? a : { step: a };
        replay.goto(b);
        replay.against.set(against);
        const run = a === "other" ? replay.other! : replay.run;
        return changes(
          replay,
          { run, k: run.before(a === "other" ? b : a) },
          { run: replay.run, k: replay.at.value },
        );
      },
      colours: () => colours(replay),
      colourBy: replay.measure.set.bind(replay.measure),
      select: (name: string) => replay.choose(replay.rows.named(name) ?? null),
    },
  };
}

/** The switch between the time of the training and that of one backward pass. */
function modes(replay: Replay): HTMLElement {
  const box = h("div", { class: "kindswitch", role: "group", "aria-label": "Time" });
  for (const [training, name, says] of [
    [true, "training", "Replay the training"],
    [false, "backprop", "Step through one backward pass"],
  ] as const) {
    const choice = button(name, says, () => replay.training.set(training), { class: "plain" });
    replay.training.watch((now) => choice.setAttribute("aria-pressed", String(now === training)));
    box.append(choice);
  }
  replay.app.sheet.watch(({ timeline }) => (box.hidden = timeline.length === 0));
  return box;
}

if (typeof document !== "undefined") window.glassgradReplay = replaying;
