/** The page: a composition of panels around one drawing. */

import "./base.css";
import "./page.css";
import { api } from "./api";
import { App } from "./app";
import { serve } from "./arrange";
import { banner } from "./banner";
import { codePanel } from "./code";
import { details } from "./details";
import { button, h } from "./dom";
import { keys } from "./keys";
import { legend } from "./legend";
import { Outline } from "./outline";
import { rest } from "./rest";
import { stepPanel } from "./rule";
import { download, svg } from "./save";
import { Search } from "./search";
import { sheet, type Side } from "./sheet";
import { Stage } from "./stage";
import { tooltip } from "./tooltip";
import { payload } from "./trace";
import { Transport } from "./transport";

/** Scale at which a small drawing should fit the window, and the least px it is given. */
const COMFORT = 0.85;
const NARROWEST = 560;
/** Up to this width, in px, the panel is a sheet: as in the style. */
const NARROW = 760;
const LOW = 480; // px of height, up to which a window is that of a phone that lies on its side
/** Milliseconds until the sheet has come to rest. */
const SETTLED = 260;

declare global {
  interface Window {
    glassgrad: { ready: Promise<void> } | ReturnType<typeof api>;
    /** What a page of a training adds: see `replay/main.ts`. */
    glassgradReplay?: (page: Parts) => object;
  }
}

/** The parts of the page that others may add to. */
export interface Parts {
  app: App;
  field: HTMLElement;
  side: Side;
  bar: HTMLElement;
}

async function start(): Promise<void> {
  const home = document.getElementById("glassgrad")!;
  home.classList.add("glassgrad-page");
  const app = new App(await payload(), home);
  const stage = new Stage(app);
  const transport = new Transport(app);
  const search = new Search(app);
  const outline = new Outline(app);
  const field = h("main", {
    class: "field",
    tabindex: 0,
    "aria-label":
      "Drawing of the graph. Arrow keys pan, plus and minus zoom; the outline holds the same as text.",
  });
  const busy = h("div", { class: "busy", role: "status" });
  app.busy.watch((text) => {
    busy.textContent = text;
    busy.hidden = !text;
  });
  const live = h("div", { class: "unseen", "aria-live": "polite" });
  app.said.watch((text) => (live.textContent = text));
  const side = sheet(stepPanel(app), details(app), codePanel(app));
  const warning = banner(app);
  const colours = legend(app);
  field.append(
    stage.canvas,
    outline.element,
    warning,
    colours,
    busy,
    transport.element,
    side,
    rest(stage),
    tooltip(app, field),
  );
  const top = bar(app, stage, search, outline);
  home.replaceChildren(top, field, live);
  keys(app, stage, transport, search);
  const made = api(app, stage, window.glassgrad?.ready);
  const recorded = app.payload.run ?? app.payload.live;
  const more = recorded && window.glassgradReplay?.({ app, field, side, bar: top });
  const below = () => {
    const panels = [...field.querySelectorAll<HTMLElement>(".legend, .transport")];
    return Math.min(...panels.map((panel) => panel.offsetTop || Infinity), field.clientHeight);
  };
  const margins = () => {
    const wide = field.clientWidth > NARROW;
    const legends = [...field.querySelectorAll<HTMLElement>(".legend")];
    const open = outline.element.offsetWidth > 1;
    const was = stage.viewport.margins.left;
    const fitted = stage.viewport.untouched;
    field.classList.toggle("outlined", open);
    Object.assign(stage.viewport.margins, {
      left: open && wide ? outline.element.offsetWidth : 0,
      right: wide ? side.offsetWidth : 0,
      bottom: field.clientHeight - (wide ? below() : side.offsetTop),
      top: Math.max(
        ...(wide ? [] : legends.map((each) => each.offsetTop + each.offsetHeight)),
        warning.hidden ? 0 : warning.offsetTop + warning.offsetHeight,
      ),
    });
    field.style.setProperty("--top", `${stage.viewport.margins.top}px`);
    if (fitted && was !== stage.viewport.margins.left) stage.fit();
  };
  const watcher = new ResizeObserver(margins);
  for (const panel of [side, outline.element, warning, colours]) watcher.observe(panel);
  margins();
  app.selected.watch((item) => {
    side.rewind();
    if (!item || field.clientWidth > NARROW) return;
    side.lift();
    setTimeout(() => stage.reveal(item, false), SETTLED);
  });
  app.stepping.watch((stepping) => {
    if (!stepping) return;
    side.lift();
    setTimeout(() => stage.follow(), SETTLED); // the sheet may lie over what happens
  });
  window.glassgrad = Object.assign(made, more);
  let room = NARROWEST;
  const measure = () => (room = stage.viewport.room / COMFORT);
  app.sheet.watch(measure);
  app.upright = () => field.clientWidth <= NARROW && field.clientWidth < field.clientHeight;
  app.handheld = () => app.upright() || field.clientHeight <= LOW;
  app.room = () => Math.max(NARROWEST, room);
  let down = app.upright();
  new ResizeObserver(() => {
    if (down === app.upright()) return;
    down = !down;
    margins();
    measure();
    stage.anew();
    void app.arrange();
  }).observe(field); // a phone that is turned
  await app.arrange();
}

function bar(app: App, stage: Stage, search: Search, outline: Outline): HTMLElement {
  const title = h("h1", {}, app.payload.title);
  const kinds = h("div", { class: "kindswitch", role: "group", "aria-label": "Level of detail" });
  if (app.payload.traces.length > 1) {
    const names = ["arrays", "scalars"];
    app.payload.traces.forEach((_, i) => {
      const choice = button(
        names[i] ?? `trace ${i + 1}`,
        `Open as ${names[i]}`,
        () => void app.openTrace(i),
        { class: "plain" },
      );
      app.sheet.watch(() => choice.setAttribute("aria-pressed", String(app.which === i)));
      kinds.append(choice);
    });
  }
  const toggle = button(
    "outline",
    "Outline",
    () => {
      const open = outline.element.classList.toggle("open");
      toggle.setAttribute("aria-pressed", String(open));
    },
    { "aria-pressed": "false" },
  );
  return h(
    "header",
    { class: "bar" },
    toggle,
    title,
    kinds,
    search.element,
    h(
      "div",
      { class: "tools" },
      button(
        "unfold",
        "Unfold a level (with shift: all)",
        ({ shiftKey }) => void app.refold((fold) => (shiftKey ? fold.all(true) : fold.level())),
        { class: "roomy" },
      ),
      button(
        "fold",
        "Fold a level (with shift: all)",
        ({ shiftKey }) => void app.refold((fold) => (shiftKey ? fold.all(false) : fold.unlevel())),
        { class: "roomy" },
      ),
      button("fit", "Fit to the window (0)", () => stage.fit()),
      button(
        "save",
        "Save as SVG",
        () => download(svg(app, stage), `${app.payload.title}.svg`, "image/svg+xml"),
        { class: "roomy" },
      ),
      button("theme", "Light or dark", () => app.themes.toggle()),
    ),
  );
}

if (typeof document === "undefined") serve();
else window.glassgrad = { ready: start() };
