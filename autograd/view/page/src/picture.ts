export type Kind = "value" | "op" | "parameter" | "input" | "output" | "constant";
export type Row = string | readonly string[];
export interface Box { key: string; kind: Kind; lines: readonly Row[]; cluster: string | null; tone?: number | null; tooltip?: string }
export interface Arrow { tail: string; head: string; label?: string; kind?: "data" | "gradient" }
export interface Cluster { key: string; title: string; parent: string | null; tooltip?: string }
export interface Picture { boxes: Box[]; arrows: Arrow[]; clusters: Cluster[]; rankdir: "LR" | "TB" }
