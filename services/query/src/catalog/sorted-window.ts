/** Which part of a sorted list is meant. */
export interface WindowBounds {
  readonly offset: number;
  /** Null: to the end. */
  readonly limit: number | null;
}

const KEPT_MIN = 1024;

/**
 * The indices 0 .. count-1 in the order of `compare`, cut to a window. Where the window is small against the list, only its candidates are
 * sorted: time grows with `count`, not with its logarithm, and memory with the end of the window. `compare` must be a total order.
 */
export function sortedWindow(
  count: number,
  compare: (a: number, b: number) => number,
  { offset, limit }: WindowBounds,
): Uint32Array {
  const end = limit === null ? count : Math.min(count, offset + limit);
  if (offset >= end) return new Uint32Array(0);
  const candidates = end * 4 < count ? firstCandidates(count, compare, end) : allIndices(count);
  return candidates.sort(compare).slice(offset, end);
}

function allIndices(count: number): Uint32Array {
  const indices = new Uint32Array(count);
  for (let i = 0; i < count; i++) indices[i] = i;
  return indices;
}

/** A list that holds the first `wanted` indices of the order, and perhaps some more. */
function firstCandidates(
  count: number,
  compare: (a: number, b: number) => number,
  wanted: number,
): Uint32Array {
  const kept = new Uint32Array(Math.max(KEPT_MIN, wanted * 2));
  let length = 0;
  let worst = -1;
  for (let i = 0; i < count; i++) {
    if (worst !== -1 && compare(i, worst) > 0) continue;
    kept[length++] = i;
    if (length < kept.length) continue;
    kept.sort(compare);
    length = wanted;
    worst = kept[wanted - 1] as number;
  }
  return kept.subarray(0, length);
}
