/**
 * Sums of numbers that do not depend on their order: the sum is exact, and rounded once, when it is read. It is kept as a few numbers that do not overlap
 * (Shewchuk, "Adaptive Precision Floating-Point Arithmetic and Fast Robust Geometric Predicates", 1997; Python's math.fsum). So workers that each saw a part of the events have together
 * the same sum as one that saw all, and a sum of 0.1 ten times is 1.
 */
export type ExactSum = readonly number[];

export const EMPTY_SUM: ExactSum = [];

/** The sum with a number added, which must be finite. */
export function plus(sum: ExactSum, added: number): ExactSum {
  const [only = 0] = sum;
  // Whole numbers, which most are, need no care as long as they are exact.
  if (sum.length <= 1 && Number.isSafeInteger(only) && Number.isSafeInteger(only + added))
    if (Number.isSafeInteger(added)) return [only + added];
  return grown(sum, added);
}

function grown(sum: ExactSum, added: number): ExactSum {
  const parts: number[] = [];
  let rest = added;
  for (const part of sum) {
    const [larger, smaller] = Math.abs(rest) < Math.abs(part) ? [part, rest] : [rest, part];
    const high = larger + smaller;
    const low = smaller - (high - larger);
    if (low !== 0) parts.push(low);
    rest = high;
  }
  parts.push(rest);
  return parts;
}

/** The sum of two sums. */
export function sumOf(sums: readonly ExactSum[]): ExactSum {
  return sums.flat().reduce(plus, EMPTY_SUM);
}

/** The nearest number to the sum. Not finite when it is beyond all numbers. */
export function rounded(sum: ExactSum): number {
  let at = sum.length - 1;
  let high = sum[at] ?? 0;
  let low = 0;
  while (at > 0 && low === 0) {
    const before = high;
    const part = sum[--at] as number;
    high = before + part;
    low = part - (high - before);
  }
  return high + halfStep({ high, low, next: sum[at - 1] ?? 0 });
}

/** What rounding a half to even has left out, when what follows says that it was more than a half. */
function halfStep({
  high,
  low,
  next,
}: {
  readonly high: number;
  readonly low: number;
  readonly next: number;
}): number {
  const isSameSide = (low < 0 && next < 0) || (low > 0 && next > 0);
  if (!isSameSide) return 0;
  const double = low * 2;
  return high + double - high === double ? double : 0;
}
