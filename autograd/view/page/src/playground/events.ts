/** What the server tells: see nn/watch/playground.py, which is the home of this format. */

import type { Num } from "../trace";

export interface Settings {
  data: string;
  noise: number;
  layers: number[];
  activation: string;
  optimizer: string;
  learning_rate: number;
  l1: number;
  l2: number;
  batch_size: number;
  seed: number;
  speed: number;
}

/** x, y and the class. */
export type Point = [number, number, number];

export interface Setup {
  settings: Settings;
  classes: number;
  options: { data: string[]; activation: string[]; optimizer: string[] };
  points: { train?: Point[]; test?: Point[] };
}

export interface UnitMap {
  values: string;
  scale: Num;
}

export interface Layer {
  name: string;
  inputs: number;
  outputs: number;
  weight: Num;
  gradient: Num | null;
  weights?: Num[];
  gradients?: Num[] | null;
  bias?: Num[];
  bias_gradients?: Num[] | null;
  units?: UnitMap[];
}

export interface Sample {
  image: string;
  label: number;
  told: number;
  probabilities: Num[];
}

export interface Both {
  train: Num;
  test: Num;
}

export interface State {
  step: number;
  epoch: number;
  running: boolean;
  settings: Settings;
  loss: Both;
  accuracy: Both;
  history: { step: number[]; train: Num[]; test: Num[]; train_accuracy: Num[]; test_accuracy: Num[] };
  layers: Layer[];
  flow: { verdict: string; text: string; layers: { name: string; verdict: string; why: string }[] };
  plane?: { size: number; extent: [number, number, number, number]; values: string };
  digits?: { confusion: number[][]; samples: Sample[] };
}

/** Bytes of a base64 text. */
export function bytes(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}
