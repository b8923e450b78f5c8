/**
 * Quantiles of many numbers in little room: each value is counted in a bucket whose bounds are 2% apart, so the answer is within 1% of an exact quantile
 * (Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019). The buckets depend on the values alone and
 * not on their order, so merged sketches equal the sketch of all values.
 *
 * A list holds at most 2,048 buckets, a range of values of 1 to 10^17; what lies further below is counted in the lowest of them.
 */
export interface QuantileSketch {
  readonly zeros: number;
  /** Bucket numbers and counts in turns, in the order of the numbers, of positive values. */
  readonly positive: readonly number[];
  /** The same of the negative ones, by their distance from zero. */
  readonly negative: readonly number[];
}

export const EMPTY_SKETCH: QuantileSketch = { zeros: 0, positive: [], negative: [] };

/** How far an answer may be from the exact one, relative to it. */
export const SKETCH_ERROR = 0.01;
const RANK_SLACK = 1e-6;
const GAMMA = (1 + SKETCH_ERROR) / (1 - SKETCH_ERROR);
const LOG_GAMMA = Math.log(GAMMA);
const BUCKETS_MAX = 2_048;

/** The sketch with a number added, which must be finite. */
export function sketchPlus(sketch: QuantileSketch, value: number): QuantileSketch {
  if (value === 0) return { ...sketch, zeros: sketch.zeros + 1 };
  const bucket = Math.ceil(Math.log(Math.abs(value)) / LOG_GAMMA);
  return value > 0
    ? { ...sketch, positive: counted(sketch.positive, bucket, 1) }
    : { ...sketch, negative: counted(sketch.negative, bucket, 1) };
}

/** One sketch of what several saw. */
export function sketchOf(sketches: readonly QuantileSketch[]): QuantileSketch {
  return {
    zeros: sketches.reduce((sum, { zeros }) => sum + zeros, 0),
    positive: together(sketches.map(({ positive }) => positive)),
    negative: together(sketches.map(({ negative }) => negative)),
  };
}

/**
 * The smallest value that at least a share of the values, from 0 to 1, does not exceed: the nearest rank, so that the 99th percentile of a few values is the largest. Null when there
 * are none.
 */
export function quantile(sketch: QuantileSketch, share: number): number | null {
  const { zeros, positive, negative } = sketch;
  const below = countIn(negative);
  const count = below + zeros + countIn(positive);
  if (count === 0) return null;
  // A share such as 0.07 is a little more than it says, which must not make it the next rank.
  const rank = Math.max(0, Math.ceil(share * count - RANK_SLACK) - 1);
  // Negative values are counted from zero, so the lowest is the last.
  if (rank < below) return -middleOf(bucketAt(negative, below - 1 - rank));
  if (rank < below + zeros) return 0;
  return middleOf(bucketAt(positive, rank - below - zeros));
}

/** The value that is at most 1% from each of a bucket. */
function middleOf(bucket: number): number {
  return (2 * GAMMA ** bucket) / (GAMMA + 1);
}

function bucketAt(list: readonly number[], rank: number): number {
  let left = rank;
  let at = 0;
  while (at < list.length - 2 && left >= (list[at + 1] as number)) {
    left -= list[at + 1] as number;
    at += 2;
  }
  return list[at] as number;
}

function countIn(list: readonly number[]): number {
  let count = 0;
  for (let at = 1; at < list.length; at += 2) count += list[at] as number;
  return count;
}

function together(lists: readonly (readonly number[])[]): readonly number[] {
  let all: readonly number[] = [];
  for (const list of lists)
    for (let at = 0; at < list.length; at += 2)
      all = counted(all, list[at] as number, list[at + 1] as number);
  return all;
}

/** The list with values of a bucket added. */
function counted(list: readonly number[], bucket: number, count: number): readonly number[] {
  const highest = Math.max(bucket, list.at(-2) ?? bucket);
  const lowest = highest - BUCKETS_MAX + 1;
  const kept = (list[0] ?? lowest) < lowest ? collapsed(list, lowest) : list;
  return inserted(kept, Math.max(bucket, lowest), count);
}

/** What lies below a bucket is counted in it. */
function collapsed(list: readonly number[], lowest: number): readonly number[] {
  const at = placeOf(list, lowest);
  const count = countIn(list.slice(0, at));
  return inserted(list.slice(at), lowest, count);
}

function inserted(list: readonly number[], bucket: number, count: number): readonly number[] {
  const at = placeOf(list, bucket);
  if (list[at] !== bucket) return list.toSpliced(at, 0, bucket, count);
  const changed = list.slice();
  changed[at + 1] = (changed[at + 1] as number) + count;
  return changed;
}

/** Where a bucket is in a list, or belongs. */
function placeOf(list: readonly number[], bucket: number): number {
  let low = 0;
  let high = list.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((list[middle * 2] as number) < bucket) low = middle + 1;
    else high = middle;
  }
  return low * 2;
}
