/** The keyboard: what each key does, unless something that takes keys has the focus. */

import type { App } from "./app";
import type { Search } from "./search";
import type { Stage } from "./stage";
import type { Transport } from "./transport";

const FAR = 60; // px by which an arrow key pans

export function keys(app: App, stage: Stage, transport: Transport, search: Search): void {
  const { viewport } = stage;
  const plain: { [key: string]: () => void } = {
    "/": () => search.input.focus(),
    n: () => transport.next(),
    p: () => transport.previous(),
    i: () => void app.stepInto(),
    "+": () => viewport.zoom(1.25),
    "=": () => viewport.zoom(1.25),
    "-": () => viewport.zoom(0.8),
    "0": () => stage.fit(),
    Escape: () => (app.stepping.value ? app.stopStepping() : app.selected.set(null)),
  };
  const onDrawing: { [key: string]: () => void } = {
    ArrowLeft: () => viewport.pan(FAR, 0),
    ArrowRight: () => viewport.pan(-FAR, 0),
    ArrowUp: () => viewport.pan(0, FAR),
    ArrowDown: () => viewport.pan(0, -FAR),
    " ": () => transport.toggle(),
    Enter: () => {
      const item = app.selected.value;
      if (item && item.kind !== "node") void app.toggle(item);
    },
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const target = event.target as HTMLElement;
    const typing = target.matches("input[type=search],select,textarea");
    const slider = target.matches("input[type=range]");
    const press = target.matches("button,a,[role=treeitem],pre");
    let act = typing ? undefined : plain[event.key];
    if (!typing && !slider && !press) act ??= onDrawing[event.key];
    if (slider && event.key === " ") act = onDrawing[" "];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
