/** Order: places in sorted arrays, as Python's module `bisect` finds them, and tuples compared. */

/** Where `x` is to be inserted before all that equal it. */
export function bisectLeft(sorted: readonly number[], x: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where `x` is to be inserted behind all that equal it. */
export function bisectRight(sorted: readonly number[], x: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (x < sorted[middle]) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Insert `x` so that `sorted` stays so. */
export function insort(sorted: number[], x: number): void {
  sorted.splice(bisectRight(sorted, x), 0, x);
}

/** Less than 0 if `a` comes before `b`, as words in a dictionary do. */
export function compare(a: readonly number[], b: readonly number[]): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) if (a[i] !== b[i]) return a[i] - b[i];
  return a.length - b.length;
}
