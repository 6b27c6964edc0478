/**
 * Arithmetic that comes out the same, to the last bit, here and in Python.
 *
 * The port of `autograd/view/arithmetic.py`.
 *
 * Layouts compare sums with one another, so a sum that differs in its last bit can change the
 * order of two boxes.
 */

/** The sum of `numbers`, added one after another. */
export function total(numbers: Iterable<number>): number {
  let sum = 0;
  for (const number of numbers) sum += number;
  return sum;
}

/** `number` to two decimals; halves go up. */
export function hundredths(number: number): number {
  return Math.floor(number * 100 + 0.5) / 100;
}
