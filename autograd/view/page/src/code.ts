/** The readable derivative: its lines, the nodes and the steps know each other. */

import type { App } from "./app";
import { h } from "./dom";
import type { Timeline } from "./timeline";
import type { Code } from "./trace";

export function codePanel(app: App): HTMLElement | null {
  const { code } = app.payload;
  if (!code) return null;
  const text = h("pre", {
    class: "source",
    role: "group",
    tabindex: 0,
    "aria-label": "The derivative as code",
  });
  const { fold, timeline } = app.sheet.value;
  const { leaves } = fold.tree;
  const lines = code.text.replace(/\n$/, "").split("\n");
  const steps = stepsOf(lines, code, timeline);
  const rows = lines.map((line, i) => {
    const [node] = code.lines[i] ?? [];
    const linked = node !== undefined;
    const row = h(
      "span",
      { class: linked ? "line linked" : "line" },
      h("i", {}, String(i + 1)),
      line || " ",
    );
    if (linked) {
      row.title = app.sheet.value.graph.titles[node];
      row.addEventListener("click", async () => {
        const before = row.getBoundingClientRect().top;
        await app.openTrace(0);
        await app.visit(node, steps[i]);
        // what is told of the step stands above: the line stays under the pointer all the same
        text.closest(".scroll")!.scrollTop += row.getBoundingClientRect().top - before;
      });
      row.addEventListener(
        "pointerenter",
        () => app.which === 0 && app.hovered.set(app.visible(leaves[node])),
      );
      row.addEventListener("pointerleave", () => app.hovered.set(null));
    }
    text.append(row);
    return row;
  });
  let shown: HTMLElement | undefined;
  const refresh = () => {
    const item = app.selected.value;
    const [first, last] = [app.first(app.position.value), app.position.value];
    const here = rows.filter((row, i) => {
      const is =
        app.which === 0 &&
        (app.stepping.value
          ? first <= steps[i] && steps[i] <= last
          : item?.kind === "node" && !!code.lines[i]?.includes(item.index));
      row.classList.toggle("here", is);
      return is;
    });
    const again = here[0] === shown;
    shown = here[0];
    if (shown && !again && !text.matches(":hover")) show(text, shown, here[here.length - 1]);
  };
  for (const signal of [app.selected, app.position, app.stepping, app.scene] as {
    watch(f: () => void): void;
  }[])
    signal.watch(refresh);
  return h(
    "section",
    { class: "code", "aria-label": "Code" },
    h("h2", {}, "Derivative as code"),
    text,
  );
}

/** What the code calls a node, where that is not its title: "v12", several results "v8, scale". */
export function variable(app: App, node: number): string {
  const { code } = app.payload;
  const { graph } = app.sheet.value;
  if (!code || app.which) return "";
  const { op, params, inputs } = graph.nodes[node];
  const of = op === "part" ? inputs![0] : node;
  const line = code.lines.findIndex(([about]) => about === of); // the first is the forward one
  const told = /^\s+(\w[\w, ]*) = /.exec(code.text.split("\n")[line] ?? "")?.[1] ?? "";
  const name = of === node ? told : told.split(", ")[+/\d+/.exec(params!)!];
  return name === graph.titles[node] ? "" : (name ?? "");
}

/** The step of each line that is about a node, as a position on the time line; else -1.
 *
 * Two empty lines divide the body: forward, backward, what is returned behind all steps. */
function stepsOf(lines: string[], code: Code, timeline: Timeline): number[] {
  let part = -1;
  let begins = false;
  return lines.map((line, i) => {
    const [node] = code.lines[i] ?? [];
    if (part < 0 && node !== undefined) part = 0;
    if (part >= 0 && !line) {
      part++;
      begins = true;
    }
    if (node === undefined) return -1;
    const seed = begins && part === 1;
    begins = false;
    if (part === 0) return timeline.forwardOf(node);
    return seed ? timeline.seed : part === 1 ? timeline.of(node) : Infinity;
  });
}

/** Scroll a box until some of its lines are seen, as little as it takes. */
function show(box: HTMLElement, first: HTMLElement, last: HTMLElement): void {
  const top = first.offsetTop;
  const bottom = last.offsetTop + last.offsetHeight;
  if (top < box.scrollTop || bottom - top > box.clientHeight) box.scrollTop = top - 20;
  else if (bottom > box.scrollTop + box.clientHeight)
    box.scrollTop = bottom - box.clientHeight + 20;
}
