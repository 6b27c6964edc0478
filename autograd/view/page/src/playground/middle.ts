/** The network with what belongs to its columns: buttons above, gradients and verdicts below. */

import { button, h } from "../dom";
import { diverging } from "../heatmap";
import { counted, float, MISSING } from "../numbers";
import type { Game, Shown } from "./game";
import { wrong } from "./knobs";
import { Network } from "./network";
import { decades, heat, NORMS } from "./scale";
import { largest } from "./paint";

const NEW = 4; // units of a first hidden layer
const NARROWEST = 58; // px of a column

export function middle(game: Game): HTMLElement {
  const network = new Network(game);
  const heads = h("div", { class: "columns heads" });
  const gauges = h("ul", { class: "columns gauges", "aria-label": "Gradient norm of each layer" });
  const verdict = h("p", { class: "flow", title: "gradient_flow of this model, once a second" });
  const inner = h("div", { class: "inner" }, heads, network.element, gauges);
  let built = "";
  game.painter(() => {
    const state = game.state.value!;
    const { layers, flow } = state;
    if (built !== state.settings.layers.join() + state.settings.data) {
      built = state.settings.layers.join() + state.settings.data;
      inner.style.setProperty("--columns", String(layers.length + 1));
      inner.style.minWidth = `${NARROWEST * (layers.length + 1)}px`;
      heads.replaceChildren(...columns(game));
      gauges.replaceChildren(...Array.from({ length: layers.length + 1 }, (_, i) => gauge(i)));
    }
    layers.forEach((layer, i) => show(game, gauges.children[i + 1], layer.gradient, flow.layers.find(({ name }) => name === layer.name)));
    verdict.textContent = flow.text;
    verdict.classList.toggle("ill", !["healthy", "unknown"].includes(flow.verdict));
  });
  return h(
    "section", { class: "network", "aria-label": "Network" },
    h("div", { class: "line top" }, toggle(game), depth(game), key(game)),
    wrong(game, "layers"),
    h("div", { class: "wide" }, inner),
    verdict,
  );
}

function toggle(game: Game): HTMLElement {
  const box = h("div", { class: "kindswitch", role: "group", "aria-label": "What the edges show" });
  for (const shown of ["weights", "gradients"] as Shown[]) {
    const choice = button(shown, `Show ${shown} (g)`, () => game.shown.set(shown), { class: "plain", "aria-label": shown });
    game.shown.watch((now) => choice.setAttribute("aria-pressed", String(now === shown)));
    box.append(choice);
  }
  return box;
}

/** The hidden layers as they are, or will be once the server has answered. */
let wanted: number[] | null = null;

async function relayer(game: Game, change: (layers: number[]) => number[]): Promise<void> {
  const mine = change(wanted ?? game.settings!.layers);
  wanted = mine;
  await game.set({ layers: mine });
  if (wanted === mine) wanted = null;
}

function depth(game: Game): HTMLElement {
  const count = h("span", {});
  game.state.watch((state) => state && (count.textContent = counted(state.settings.layers.length, "hidden layer")));
  return h(
    "div", { class: "depth", role: "group", "aria-label": "Number of hidden layers" },
    button("minus", "Remove a layer", () => void relayer(game, (layers) => layers.slice(0, -1))),
    count,
    button("plus", "Add a layer", () => void relayer(game, (layers) => [...layers, layers.at(-1) ?? NEW])),
  );
}

/** What the colours mean. */
function key(game: Game): HTMLElement {
  const box = h("div", { class: "scale" });
  let told = "";
  game.painter(() => {
    const theme = game.themes.signal.value;
    const shown = game.shown.value;
    const most = shown === "weights" ? Number(largest(game.state.value!.layers.map(({ weights }) => largest(weights ?? []))).toPrecision(1)) : 1;
    if (told === `${shown} ${most} ${theme.dark}`) return;
    told = `${shown} ${most} ${theme.dark}`;
    const ends = shown === "weights" ? [`−${most}`, `${most}`] : ["−", "+"];
    const colours = [-0.8, -0.4, 0, 0.4, 0.8].map((x) => diverging(x, 1, theme)).join(",");
    box.replaceChildren(
      h("span", { class: "number" }, ends[0]),
      h("i", { style: `background:linear-gradient(90deg,${colours})` }),
      h("span", { class: "number" }, ends[1]),
      shown === "gradients" ? h("span", {}, "thin 1e-5, wide 1") : "",
    );
  });
  return box;
}

function columns(game: Game): HTMLElement[] {
  const { settings, layers } = game.state.value!;
  const resize = (i: number, by: number) => void relayer(game, (widths) => widths.map((width, k) => (k === i ? width + by : width)));
  const hidden = settings.layers.map((width, i) =>
    h(
      "div", { role: "group", "aria-label": `Layer ${i}` },
      h("span", { class: "name" }, `layer ${i}`),
      h("span", { class: "stepper" },
        button("minus", `Remove a unit of layer ${i}`, () => resize(i, -1)),
        h("span", { class: "number" }, String(width)),
        button("plus", `Add a unit to layer ${i}`, () => resize(i, 1))),
    ),
  );
  const [first, last] = [layers[0].inputs, layers.at(-1)!.outputs];
  return [
    h("div", {}, h("span", { class: "name" }, "input"), h("span", { class: "number faint" }, String(first))),
    ...hidden,
    h("div", {}, h("span", { class: "name" }, "output"), h("span", { class: "number faint" }, String(last))),
  ];
}

function gauge(i: number): HTMLElement {
  if (!i) return h("li", { class: "name" }, h("span", { class: "faint" }, "‖∂L/∂W‖"));
  return h("li", {}, h("i", { class: "bar-log" }, h("i")), h("span", { class: "number" }), h("span", { class: "verdict" }));
}

function show(game: Game, element: Element, norm: number | string | null, found?: { verdict: string; why: string }): void {
  const [bar, number, word] = element.children as unknown as HTMLElement[];
  const fill = bar.firstElementChild as HTMLElement;
  const x = norm as number | null;
  fill.style.width = x === null ? "0" : `${Math.max(2, 100 * decades(x, NORMS))}%`;
  fill.style.background = x === null ? "none" : heat(x, NORMS, game.themes.signal.value);
  number.textContent = x === null ? MISSING : Number.isFinite(float(x)) ? float(x).toExponential(1) : String(x);
  word.textContent = found?.verdict ?? "";
  word.classList.toggle("alarm", !!found && found.verdict !== "healthy");
  (element as HTMLElement).title = found?.why || "log scale, from 1e-6 to 100";
}
