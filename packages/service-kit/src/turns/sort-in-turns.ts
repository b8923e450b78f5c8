import type { Pace } from './pace.ts';

/** A list of which a part is taken at a time. */
export interface Slices<T> {
  readonly length: number;
  slice(start: number, end: number): T[];
}

/** Elements that are sorted or merged between two looks at the clock. */
const SLICE = 1_024;

/** Sorts a list of any length and lets others run in between. Equal elements keep their order. Returns a new list. */
export async function sortInTurns<T>(
  list: Slices<T>,
  compare: (a: T, b: T) => number,
  pace: Pace,
): Promise<T[]> {
  let sorted: T[][] = [];
  for (let start = 0; start < list.length; start += SLICE) {
    sorted.push(list.slice(start, start + SLICE).sort(compare));
    if (pace.isTurnOver) await pace.nextTurn();
  }
  while (sorted.length > 1) {
    const merged: T[][] = [];
    for (let i = 0; i < sorted.length; i += 2)
      merged.push(await mergedInTurns([sorted[i] as T[], sorted[i + 1] ?? []], compare, pace));
    sorted = merged;
  }
  return sorted[0] ?? [];
}

/** Merges two sorted lists, those of the left one first where they are equal. Returns a new list, or the left one where there is nothing else. */
export async function mergedInTurns<T>(
  [left, right]: readonly [T[], T[]],
  compare: (a: T, b: T) => number,
  pace: Pace,
): Promise<T[]> {
  if (right.length === 0) return left;
  const merged: T[] = [];
  for (let l = 0, r = 0; l + r < left.length + right.length; ) {
    const isLeft =
      r === right.length || (l < left.length && compare(left[l] as T, right[r] as T) <= 0);
    merged.push(isLeft ? (left[l++] as T) : (right[r++] as T));
    if (merged.length % SLICE === 0 && pace.isTurnOver) await pace.nextTurn();
  }
  return merged;
}
