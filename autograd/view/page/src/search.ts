/** Search by name, operation, module path and source line. */

import type { App } from "./app";
import { h, icon } from "./dom";
import type { Item } from "./tree";

const MANY = 40;

/** The items that a text is found in, best first. */
export function find(app: App, text: string): Item[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return [];
  const { graph, fold } = app.sheet.value;
  const found: [number, Item][] = [];
  for (const item of fold.tree.byKey.values()) {
    if (item.kind === "run" || !item.parent) continue;
    const scope = item.kind === "node" ? undefined : graph.trace.scopes[item.index];
    const node = item.kind === "node" ? graph.nodes[item.index] : undefined;
    const name = item.title.toLowerCase();
    const rest =
      `${node?.op ?? ""} ${node ? graph.path(item.index) : (scope?.path ?? "")} ${node?.where ?? scope?.where ?? ""} ${item.key}`.toLowerCase();
    let worth = 0;
    for (const word of words) {
      const here =
        name === word
          ? 4
          : name.startsWith(word)
            ? 3
            : name.includes(word)
              ? 2
              : rest.includes(word)
                ? 1
                : 0;
      if (!here) {
        worth = 0;
        break;
      }
      worth += here;
    }
    if (worth) found.push([worth + (scope || node?.name === item.title ? 0.5 : 0), item]);
  }
  return found
    .sort(([a, one], [b, other]) => b - a || one.title.length - other.title.length)
    .map(([, item]) => item);
}

export class Search {
  readonly input = h("input", {
    type: "search",
    placeholder: "Search",
    "aria-label": "Search by name, operation, module or source line",
    role: "combobox",
    "aria-expanded": "false",
    "aria-controls": "glassgrad-results",
    autocomplete: "off",
    spellcheck: "false",
  });
  private readonly list = h("ul", {
    id: "glassgrad-results",
    role: "listbox",
    "aria-label": "Results",
  });
  readonly element = h(
    "div",
    { class: "search" },
    icon("search"),
    this.input,
    h("kbd", {}, "/"),
    this.list,
  );
  private results: Item[] = [];
  private at = 0;

  constructor(private readonly app: App) {
    this.list.hidden = true;
    this.input.addEventListener("input", () => this.search());
    this.input.addEventListener("focus", () => this.search());
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    this.input.addEventListener("keydown", (event) => this.key(event));
  }

  private search(): void {
    const found = find(this.app, this.input.value);
    this.results = found.slice(0, MANY);
    this.at = 0;
    const { graph } = this.app.sheet.value;
    this.list.replaceChildren(
      ...this.results.map((item, i) => {
        const node = item.kind === "node" ? graph.nodes[item.index] : undefined;
        const where = [node?.op, node ? graph.path(item.index) : "module", node?.where].filter(
          (x) => x && x !== item.title,
        );
        const row = h(
          "li",
          { role: "option", id: `glassgrad-result-${i}`, "aria-selected": String(i === 0) },
          h("span", {}, item.title),
          h("span", { class: "faint" }, where.join(" · ")),
        );
        row.addEventListener("pointerdown", (event) => {
          event.preventDefault();
          this.take(i);
        });
        return row;
      }),
      ...(found.length > MANY
        ? [h("li", { class: "faint" }, `and ${(found.length - MANY).toLocaleString("en")} more`)]
        : []),
      ...(this.input.value && !found.length ? [h("li", { class: "faint" }, "nothing found")] : []),
    );
    this.list.hidden = !this.input.value.trim();
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.point();
  }

  private point(): void {
    [...this.list.children].forEach((row, i) =>
      row.setAttribute("aria-selected", String(i === this.at)),
    );
    this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
    this.input.setAttribute(
      "aria-activedescendant",
      this.results.length ? `glassgrad-result-${this.at}` : "",
    );
  }

  private take(i: number): void {
    const item = this.results[i];
    if (!item) return;
    void this.app.select(item).then(() => {
      this.app.go(item);
      this.app.said.set(`${item.title} selected`);
    });
    this.close();
    this.input.blur();
  }

  private close(): void {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
  }

  private key(event: KeyboardEvent): void {
    event.stopPropagation();
    if (event.key === "Enter") this.take(this.at);
    else if (event.key === "Escape") {
      this.input.value = "";
      this.close();
      this.input.blur();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      this.at = Math.max(0, Math.min(this.results.length - 1, this.at + step));
      this.point();
    }
  }
}
