/** Elements in one line. */

type Child = Node | string | null | undefined | false;

export type Attributes = { [name: string]: string | number | boolean | EventListener | undefined };

/** An element; attributes that begin with "on" are listeners, those that are false are left out. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false)
      element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child): child is Node | string => !!child));
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function s(
  tag: string,
  attributes: { [name: string]: string | number } = {},
  ...children: Child[]
): SVGElement {
  const element = document.createElementNS(SVG, tag) as SVGElement;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children.filter((child): child is Node | string => !!child));
  return element;
}

/** A button that shows a drawn sign and says what it does. */
export function button(
  sign: string,
  says: string,
  press: (event: MouseEvent) => void,
  more: Attributes = {},
) {
  const element = h("button", { type: "button", "aria-label": says, title: says, ...more });
  element.addEventListener("click", press);
  if (sign in SIGNS) element.append(icon(sign));
  else element.append(sign);
  return element;
}

/** Paths on a grid of 20 × 20, drawn as lines. */
const SIGNS: { [name: string]: string } = {
  play: "M6.5 4.5v11l9-5.5z",
  pause: "M7 4.5v11M13 4.5v11",
  next: "M5.5 4.5v11l7.5-5.5zM15 4.5v11",
  previous: "M14.5 4.5v11L7 10zM5 4.5v11",
  into: "M10 3v9M6 8.5l4 4 4-4M4 16.5h12",
  fit: "M4 8V4h4M12 4h4v4M16 12v4h-4M8 16H4v-4",
  reset: "M4.5 9.5a5.8 5.8 0 1 1 1.8 4.6M4 5v4.5h4.5",
  plus: "M10 4.5v11M4.5 10h11",
  minus: "M4.5 10h11",
  theme: "M10 3.5a6.5 6.5 0 1 0 0 13zM10 3.5a6.5 6.5 0 0 1 0 13",
  save: "M10 3v9.5M6 9l4 4 4-4M4 16.5h12",
  fold: "M4.5 10h11M10 2.5v4.5M7.5 5l2.5 2.5L12.5 5M10 17.5V13M7.5 15l2.5-2.5 2.5 2.5",
  unfold: "M4.5 10h11M10 7V2.5M7.5 5L10 2.5 12.5 5M10 13v4.5M7.5 15l2.5 2.5 2.5-2.5",
  outline: "M4 5h3M9.5 5h7M6 10h3M11 10h5.5M6 15h3M11 15h5.5",
  code: "M7.5 5.5L3 10l4.5 4.5M12.5 5.5L17 10l-4.5 4.5",
  close: "M5 5l10 10M15 5L5 15",
  search: "M9 3.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM13 13l4 4",
};

export function icon(sign: string): SVGElement {
  return s(
    "svg",
    { viewBox: "0 0 20 20", class: "icon", "aria-hidden": "true" },
    s("path", { d: SIGNS[sign] }),
  );
}

/** A value that tells its listeners when it changes. */
export class Signal<T> {
  private listeners: ((value: T) => void)[] = [];
  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set(value: T): void {
    if (value === this.current) return;
    this.current = value;
    for (const listener of this.listeners) listener(value);
  }

  /** Call `listener` now and after each change. */
  watch(listener: (value: T) => void): void {
    this.listeners.push(listener);
    listener(this.current);
  }
}
