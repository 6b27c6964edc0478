export type Role = "name" | "word" | "number" | "title";
export const SANS = "Inter,'Segoe UI',Roboto,'Helvetica Neue',Arial,'Liberation Sans',sans-serif";
export const MONO = "ui-monospace,'SF Mono',Menlo,Consolas,'Liberation Mono','DejaVu Sans Mono',monospace";
export const SIZE: Record<Role, number> = { name: 13, word: 11.5, number: 12, title: 12 };
export function width(text: string, role: Role): number {
  return text.length * (role === "number" ? 0.61 : role === "word" ? 0.53 : 0.58) * SIZE[role];
}
export function fit(text: string, role: Role, room: number): string {
  while (text.length > 1 && width(text, role) > room) text = text.slice(0, -2) + "…";
  return text;
}
