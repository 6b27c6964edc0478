/**
 * How wide text will be, without a font at hand: the port of `autograd/view/text.py`.
 *
 * The page could measure text, but then a drawing in a notebook and the same drawing on the page
 * would differ.  The estimate errs a little on the wide side, because loose text looks fine and
 * spilled text does not.
 */

/** What a piece of text is: the name of a box, a detail, a number, the title of a frame. */
export type Role = "name" | "word" | "number" | "title";

export const SANS =
  "Inter,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Liberation Sans',sans-serif";
export const MONO =
  "ui-monospace,'SF Mono',Menlo,Consolas,'Liberation Mono','DejaVu Sans Mono',monospace";
/** Font size in px by role. */
export const SIZE: Record<Role, number> = { name: 13, word: 11.5, number: 12, title: 12 };

/** The scale below which the smallest text is smaller than 10 px of the screen. */
export const LEGIBLE = 10 / Math.min(...Object.values(SIZE));

// Characters by their width in Helvetica, in thousandths of the font size.
const GROUPS: [number, string][] = [
  [222, "ijl"],
  [260, "'|"],
  [278, " !,./:;I[\\]ft"],
  [333, "()-`r{}"],
  [380, '"*°'],
  [500, "Jcksvxyz^‖"],
  [556, "#$0123456789?L_abdeghnopqu∂"],
  [584, "+<=>~×−·√"],
  [611, "FTZ"],
  [667, "&ABEKPSVXY"],
  [722, "CDHNRUw∇"],
  [778, "GOQ"],
  [860, "%Mm"],
  [1000, "@W—…∞→⟶"],
];
const WIDTHS = new Map(
  GROUPS.flatMap(([size, group]) => [...group].map((character) => [character, size] as const)),
);
// Bold is wide.
const SLACK: Record<Role, number> = { name: 1.1, word: 1.05, number: 1, title: 1.1 };
const MONO_WIDTH = 0.61;

/** Marks that combine with the character before, and take no room. */
const COMBINING = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
/** East Asian wide and fullwidth characters: scripts and symbols by range, and pictures. */
const WIDE = new RegExp(
  "^(?:[\\u1100-\\u115f\\u2329\\u232a\\u2e80-\\u303e\\u3041-\\u3247\\u3250-\\u4dbf\\u4e00-\\ua4c6" +
    "\\ua960-\\ua97c\\uac00-\\ud7a3\\uf900-\\ufad9\\ufe10-\\ufe19\\ufe30-\\ufe6b\\uff01-\\uff60" +
    "\\uffe0-\\uffe6\\u{16fe0}-\\u{1b2fb}\\u{1f200}-\\u{1f265}\\u{20000}-\\u{3fffd}]" +
    "|(?![\\u{1f1e6}-\\u{1f1ff}])\\p{Emoji_Presentation})$",
  "u",
);

/** The estimated width of `text` in px. */
export function width(text: string, role: Role): number {
  let units = 0;
  for (const character of text) {
    const known = WIDTHS.get(character);
    if (known !== undefined) units += role === "number" ? MONO_WIDTH : known / 1000;
    else if (COMBINING.test(character)) continue;
    else units += WIDE.test(character) ? 1.05 : 0.65;
  }
  return units * SIZE[role] * SLACK[role];
}

/** `text`, or as much of its beginning as fits into `room` px, and an ellipsis. */
export function fit(text: string, role: Role, room: number): string {
  if (width(text, role) <= room) return text;
  const characters = [...text];
  let low = 0; // the longest beginning that fits lies in low … high
  let high = characters.length;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (width(characters.slice(0, middle).join("") + "…", role) <= room) low = middle;
    else high = middle - 1;
  }
  return characters.slice(0, low).join("").trimEnd() + "…";
}
