/** The graph as a tree of text: what the canvas shows, for keyboards and screen readers. */

import type { App } from "./app";
import { h } from "./dom";
import { isStats, MISSING, short } from "./numbers";
import type { Item } from "./tree";

/** So many rows are listed at most. */
const MANY = 3000;

export class Outline {
  readonly element = h("nav", { class: "outline", "aria-label": "Outline of the graph" });
  private readonly tree = h("ul", { role: "tree", "aria-label": "Modules and operations" });
  private rows = new Map<Item, HTMLElement>();
  private current: Item | null = null;

  constructor(private readonly app: App) {
    this.element.append(h("h2", {}, "Outline"), this.tree);
    this.tree.addEventListener("keydown", (event) => this.key(event));
    this.tree.addEventListener("focusin", (event) => {
      this.current = this.itemOf(event.target as HTMLElement) ?? this.current;
    });
    this.tree.addEventListener("click", (event) => this.click(event));
    app.scene.watch(() => this.build());
    app.position.watch(() => this.numbers());
    app.selected.watch((item) => this.mark(item));
  }

  private build(): void {
    const { fold } = this.app.sheet.value;
    const focused = this.tree.contains(document.activeElement);
    this.rows = new Map();
    const rows: HTMLElement[] = [];
    let left = 0;
    fold.each((item) => {
      if (rows.length >= MANY) {
        left++;
        return;
      }
      rows.push(this.row(item));
    });
    if (left)
      rows.push(
        h("li", { class: "faint" }, `and ${left.toLocaleString("en")} more: fold some, or search`),
      );
    this.tree.replaceChildren(...rows);
    this.numbers();
    if (!this.current || !this.rows.has(this.current))
      this.current = this.rows.keys().next().value ?? null;
    this.mark(this.app.selected.value);
    if (focused) this.focus();
  }

  private row(item: Item): HTMLElement {
    const { graph, fold } = this.app.sheet.value;
    const group = item.kind !== "node";
    const row = h(
      "li",
      {
        role: "treeitem",
        tabindex: -1,
        "aria-level": item.depth,
        "aria-selected": "false",
        style: `--depth:${item.depth - 1}`,
        class: item.kind,
        ...(group ? { "aria-expanded": String(fold.isOpen(item)) } : {}),
      },
      h("span", { class: "twig", "aria-hidden": "true" }),
      h("span", { class: "what" }, item.title),
      h(
        "span",
        { class: "said number" },
        group ? "" : graph.nodes[item.index].op ? graph.symbol(item.index) : "",
      ),
    );
    this.rows.set(item, row);
    return row;
  }

  /** The numbers of single values, as of the position on the time line. */
  private numbers(): void {
    const { graph, timeline } = this.app.sheet.value;
    if (graph.trace.kind !== "values" || this.rows.size > 400) return;
    const position = this.app.position.value;
    for (const [item, row] of this.rows) {
      if (item.kind !== "node" || item.index >= graph.nodes.length) continue;
      const { data } = graph.nodes[item.index];
      const known =
        timeline.isComputed(item.index, position) && data !== undefined && !isStats(data);
      const { value } = timeline.gradient(item.index, position);
      row.setAttribute(
        "aria-label",
        `${item.title}, data ${known ? short(data!) : MISSING}, gradient ${value === undefined || isStats(value) ? "not computed" : short(value)}`,
      );
    }
  }

  private mark(item: Item | null): void {
    for (const row of this.tree.querySelectorAll('[aria-selected="true"]'))
      row.setAttribute("aria-selected", "false");
    const row = item && this.rows.get(item);
    if (row) {
      row.setAttribute("aria-selected", "true");
      this.current = item;
      if (this.element.classList.contains("open")) row.scrollIntoView({ block: "nearest" });
    }
    for (const other of this.tree.querySelectorAll('[tabindex="0"]'))
      other.setAttribute("tabindex", "-1");
    if (this.current) this.rows.get(this.current)?.setAttribute("tabindex", "0");
  }

  private focus(): void {
    if (this.current) this.rows.get(this.current)?.focus();
  }

  private itemOf(element: HTMLElement): Item | undefined {
    const row = element.closest("li");
    return [...this.rows].find(([, each]) => each === row)?.[0];
  }

  private click(event: MouseEvent): void {
    const item = this.itemOf(event.target as HTMLElement);
    if (!item) return;
    this.current = item;
    if ((event.target as HTMLElement).classList.contains("twig") && item.kind !== "node")
      void this.app.toggle(item);
    else this.choose(item);
  }

  private choose(item: Item): void {
    void this.app.select(item).then(() => this.app.go(item));
  }

  private key(event: KeyboardEvent): void {
    const item = this.current;
    if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
    const { fold } = this.app.sheet.value;
    const items = [...this.rows.keys()];
    const at = items.indexOf(item);
    const open = fold.isOpen(item);
    let to: Item | undefined;
    if (event.key === "ArrowDown") to = items[at + 1];
    else if (event.key === "ArrowUp") to = items[at - 1];
    else if (event.key === "Home") to = items[0];
    else if (event.key === "End") to = items.at(-1);
    else if (event.key === "ArrowRight" && item.kind !== "node") {
      if (open) to = items[at + 1];
      else void this.app.toggle(item, true);
    } else if (event.key === "ArrowLeft") {
      if (open) void this.app.toggle(item, false);
      else if (item.parent?.parent) to = item.parent;
    } else if (event.key === "Enter" || event.key === " ") {
      if (event.key === "Enter" && item.kind !== "node") void this.app.toggle(item);
      else this.choose(item);
    } else return;
    event.preventDefault();
    event.stopPropagation();
    if (to) {
      this.current = to;
      this.choose(to);
      this.mark(to);
      this.focus();
    }
  }
}
