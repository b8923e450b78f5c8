import type { Pace } from '@allsource/service-kit/turns';

const DIGIT_BITS = 16;
const DIGITS = 2 ** DIGIT_BITS;
/** Keys that are looked at between two looks at the clock. */
const SLICE = 2_048;

/**
 * The indices of keys in ascending order of them; equal ones keep their order. Keys are safe integers, perhaps further apart than a safe integer is large. They are dealt
 * out digit by digit (radix sort), so time grows with their number alone, and others run in between however many they are.
 */
export async function orderOfKeys(keys: Float64Array, pace: Pace): Promise<Uint32Array> {
  const [first, last] = await ends(keys, pace);
  let order = new Uint32Array(keys.length);
  for (let i = 0; i < order.length; i++) order[i] = i;
  let other = new Uint32Array(keys.length);
  let isSorted = first >= last;
  for (let unit = 1; !isSorted; unit *= DIGITS) {
    // What is left is one digit when it is counted from the first key.
    const base = Math.floor(first / unit);
    isSorted = Math.floor(last / unit) - base < DIGITS;
    await deal({ keys, unit, base: isSorted ? base : 0, from: order, to: other }, pace);
    [order, other] = [other, order];
  }
  return order;
}

async function ends(keys: Float64Array, pace: Pace): Promise<[number, number]> {
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  await inSlices(keys.length, pace, (from, to) => {
    for (let i = from; i < to; i++) {
      first = Math.min(first, keys[i] as number);
      last = Math.max(last, keys[i] as number);
    }
  });
  return [first, last];
}

interface Deal {
  readonly keys: Float64Array;
  /** What the digit counts. */
  readonly unit: number;
  /** From how many units on it counts them. */
  readonly base: number;
  readonly from: Uint32Array;
  readonly to: Uint32Array;
}

async function deal({ keys, unit, base, from, to }: Deal, pace: Pace): Promise<void> {
  const places = new Uint32Array(DIGITS + 1);
  await inSlices(from.length, pace, (start, end) => {
    for (let i = start; i < end; i++) {
      const after = digitOf(keys[i] as number, unit, base) + 1;
      places[after] = (places[after] as number) + 1;
    }
  });
  for (let i = 1; i <= DIGITS; i++) places[i] = (places[i] as number) + (places[i - 1] as number);
  await inSlices(from.length, pace, (start, end) => {
    for (let i = start; i < end; i++) {
      const index = from[i] as number;
      const digit = digitOf(keys[index] as number, unit, base);
      const place = places[digit] as number;
      places[digit] = place + 1;
      to[place] = index;
    }
  });
}

/** Exact, for units are powers of two; not negative. */
// oxlint-disable-next-line eslint/max-params -- called for every key; an object would be made for each.
function digitOf(key: number, unit: number, base: number): number {
  const units = Math.floor(key / unit) - base;
  return (units - Math.floor(units / DIGITS) * DIGITS) | 0;
}

/** Does work on the numbers up to `count`, a slice at a time, and lets others run in between. */
export async function inSlices(
  count: number,
  pace: Pace,
  work: (from: number, to: number) => void,
): Promise<void> {
  for (let from = 0; from < count; from += SLICE) {
    work(from, Math.min(count, from + SLICE));
    if (pace.isTurnOver) await pace.nextTurn();
  }
}
