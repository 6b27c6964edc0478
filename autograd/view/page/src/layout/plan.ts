export type Point = readonly [number, number];
export interface Rect { x: number; y: number; width: number; height: number }
export interface Panel extends Rect { titleX: number }
export interface Route { start: Point; steps: readonly (readonly number[])[]; label: Point | null }
export interface Layout { width: number; height: number; boxes: Map<string, Rect>; routes: Route[]; clusters: Map<string, Panel[]> }
