/** The panel of a training: where it stands, a verdict, and the charts over its steps. */

import { h } from "../dom";
import { said } from "./axis";
import type { Tip } from "./chart";
import { comparison } from "./compare";
import { Heat } from "./heat";
import { lossCharts } from "./loss";
import { Ratios } from "./ratios";
import { read } from "./run";
import { spread } from "./spread";
import type { Replay } from "./state";
import { Units } from "./units";
import { verdict } from "./verdict";

export function panel(replay: Replay, tip: Tip): HTMLElement {
  const status = h("span", { class: "status", role: "status" });
  const facts = h("p", { class: "now" });
  const words = h("p", { class: "verdict" });
  const notes = h("div");
  replay.status.watch((text) => {
    status.textContent = text;
    status.classList.toggle("on", text === "live");
    status.hidden = !text;
  });
  const refresh = () => {
    const { frame, run } = replay;
    box.classList.toggle("waiting", !frame);
    if (!frame) {
      facts.replaceChildren(h("span", { class: "faint" }, "Waiting for the first step."));
      words.textContent = "";
      return;
    }
    const fact = (name: string, value: string) =>
      h("span", {}, `${name} `, h("b", { class: "number" }, value));
    facts.replaceChildren(
      fact("step", frame.step.toLocaleString("en")),
      ...(frame.epoch === undefined ? [] : [fact("epoch", String(frame.epoch))]),
      fact("loss", said(read(frame.loss))),
      ...(frame.lr === undefined ? [] : [fact("learning rate", said(frame.lr))]),
      fact("after", `${said(frame.seconds)} s`),
    );
    const { text, calm } = verdict(run, replay.at.value);
    words.textContent = text;
    words.classList.toggle("calm", calm);
  };
  const box = h(
    "section",
    { class: "replaying", "aria-label": "Training" },
    h("h2", {}, "Training", status),
    facts,
    words,
    comparison(replay),
    lossCharts(replay, tip),
    new Heat(replay, tip).chart.element,
    spread(replay, tip),
    new Ratios(replay, tip).chart.element,
    new Units(replay, tip).chart.element,
    notes,
    h(
      "p",
      { class: "hint" },
      "Click or drag in a chart to move in time. ",
      h("kbd", {}, "n"),
      " and ",
      h("kbd", {}, "p"),
      " step, ",
      h("kbd", {}, "space"),
      " plays, ",
      h("kbd", {}, "c"),
      " compares with this step.",
    ),
  );
  replay.at.watch(refresh);
  replay.version.watch(() => {
    refresh();
    notes.replaceChildren(
      ...replay.run.header.notes.map((note) => h("p", { class: "note" }, note)),
    );
  });
  return box;
}
