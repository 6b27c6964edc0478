/** `window.glassgrad`: the page for tests and for the console. */

import type { App } from "./app";
import { norm } from "./numbers";
import { find } from "./search";
import { svg } from "./save";
import type { Stage } from "./stage";
import type { Num } from "./trace";

export function api(app: App, stage: Stage, ready: Promise<void>) {
  const item = (key: string) => {
    const found = app.sheet.value.item(key);
    if (!found) throw new Error(`there is nothing with the key "${key}"`);
    return found;
  };
  return {
    ready,
    get trace() {
      return app.sheet.value.trace;
    },
    get position() {
      return app.position.value;
    },
    get length() {
      return app.sheet.value.timeline.length;
    },
    get frames() {
      return stage.frames;
    },
    goto: (position: number) => app.step(position),
    next: () => app.step(app.next()),
    previous: () => app.step(app.previous()),
    stepInto: () => app.stepInto(),
    state() {
      const { graph, timeline } = app.sheet.value;
      const gradients: { [key: string]: Num | null } = {};
      graph.nodes.forEach(({ key }, i) => {
        const { value } = timeline.gradient(i, app.position.value);
        gradients[key] = value === undefined ? null : norm(value);
      });
      const { x, y, scale } = stage.viewport;
      return {
        gradients,
        visible: [...(app.scene.value?.marks.keys() ?? [])],
        selected: app.selected.value?.key ?? null,
        line: app.line.value && [app.line.value.arrow.tail, app.line.value.arrow.head],
        zoom: scale,
        offset: [x, y],
        position: app.position.value,
        trouble: app.sheet.value.trouble && graph.nodes[app.sheet.value.trouble.node].key,
        stepping: app.stepping.value,
        theme: app.themes.signal.value.dark ? "dark" : "light",
      };
    },
    fold: (key: string) => app.toggle(item(key), false),
    unfold: (key: string) => app.toggle(item(key), true),
    unfoldAll: () => app.refold((fold) => fold.all(true)),
    foldAll: () => app.refold((fold) => fold.all(false)),
    select: (key: string) => app.select(item(key)),
    open: (which: number) => app.openTrace(which),
    search: (text: string) => find(app, text).map(({ key }) => key),
    positions() {
      const places: { [key: string]: [number, number] } = {};
      for (const mark of app.scene.value?.marks.values() ?? [])
        places[mark.key] = [mark.rect.x, mark.rect.y];
      return places;
    },
    routes: () => app.scene.value?.lines.map(({ arrow, route }) => ({ ...arrow, ...route })) ?? [],
    /** Where the contributions do not add up to the gradient of the trace; [] where all is well. */
    disagreements: () => app.sheet.value.timeline.disagreements(),
    svg: () => svg(app, stage),
    pan: (dx: number, dy: number) => stage.viewport.pan(dx, dy),
    zoom: (factor: number) => stage.viewport.zoom(factor),
  };
}
