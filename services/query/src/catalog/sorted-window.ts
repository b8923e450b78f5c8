import { type Pace, type Slices, sortInTurns } from '@allsource/service-kit/turns';
import { inSlices } from './key-order.ts';

/** Which part of a sorted list is meant. */
export interface WindowBounds {
  readonly offset: number;
  /** Null: to the end. */
  readonly limit: number | null;
}

const KEPT_MIN = 1024;

/** A window that ends up to here is picked out in one pass. */
export const PICKED_MAX = 1_024;

/**
 * The indices 0 .. count-1 in the order of `compare`, cut to a window, with others running in between. Where the window is near the beginning only its candidates are
 * sorted: time grows with `count`, not with its logarithm, and memory with the end of the window. `compare` must be a total order that stays the same.
 */
export async function sortedWindow(
  {
    count,
    compare,
  }: { readonly count: number; readonly compare: (a: number, b: number) => number },
  { offset, limit }: WindowBounds,
  pace: Pace,
): Promise<ArrayLike<number>> {
  const end = limit === null ? count : Math.min(count, offset + limit);
  if (offset >= end) return [];
  if (end > PICKED_MAX) {
    const all: Slices<number> = {
      length: count,
      slice: (from, to) =>
        Array.from({ length: Math.min(to, count) - from }, (_, index) => from + index),
    };
    return (await sortInTurns(all, compare, pace)).slice(offset, end);
  }
  const window = new SortedWindow(count, compare, { offset, limit });
  await inSlices(count, pace, (from, to) => window.offer(from, to));
  return window.result();
}

/** A window that is picked out: every index is offered once, in any order. */
class SortedWindow {
  readonly #compare: (a: number, b: number) => number;
  readonly #offset: number;
  readonly #end: number;
  readonly #kept: Uint32Array;
  #length = 0;
  #worst = -1;

  constructor(
    count: number,
    compare: (a: number, b: number) => number,
    { offset, limit }: WindowBounds,
  ) {
    this.#compare = compare;
    this.#offset = offset;
    this.#end = limit === null ? count : Math.min(count, offset + limit);
    const isSmall = this.#end * 4 < count;
    this.#kept = new Uint32Array(isSmall ? Math.max(KEPT_MIN, this.#end * 2) : count);
  }

  /** Offers the indices `from` .. `to`-1. */
  offer(from: number, to: number): void {
    if (this.#offset >= this.#end) return;
    const kept = this.#kept;
    for (let i = from; i < to; i++) {
      if (this.#worst !== -1 && this.#compare(i, this.#worst) > 0) continue;
      if (this.#length === kept.length) this.#shrink();
      kept[this.#length++] = i;
    }
  }

  /** Lets go of what is behind the end of the window. Where all indices have room it never comes to this. */
  #shrink(): void {
    this.#kept.sort(this.#compare);
    this.#length = this.#end;
    this.#worst = this.#kept[this.#end - 1] as number;
  }

  result(): Uint32Array {
    if (this.#offset >= this.#end) return new Uint32Array(0);
    return this.#kept.subarray(0, this.#length).sort(this.#compare).slice(this.#offset, this.#end);
  }
}
