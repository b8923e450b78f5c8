/** A set of positions as ranges, both ends included. Ranges come in any order and may overlap. */
export type PositionRange = readonly [first: number, last: number];

export class PositionRanges {
  readonly #ranges: [number, number][] = [];
  #isSorted = true;

  /** Adds the positions from `first` to `last`; a `last` before `first` adds nothing. */
  add(first: number, last: number): void {
    if (last < first) return;
    const end = this.#ranges.at(-1);
    if (end !== undefined && first >= end[0] && first <= end[1] + 1) {
      end[1] = Math.max(end[1], last);
      return;
    }
    if (end !== undefined && first < end[0]) this.#isSorted = false;
    this.#ranges.push([first, last]);
  }

  has(position: number): boolean {
    const ranges = this.#sorted();
    let low = 0;
    let high = ranges.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const [first, last] = ranges[middle] as [number, number];
      if (position < first) high = middle - 1;
      else if (position > last) low = middle + 1;
      else return true;
    }
    return false;
  }

  /** What the set leaves of 1 .. `end`. */
  complement(end: number): PositionRange[] {
    const left: [number, number][] = [];
    let next = 1;
    for (const [first, last] of this.#sorted()) {
      if (first > end) break;
      if (first > next) left.push([next, first - 1]);
      next = Math.max(next, last + 1);
    }
    if (next <= end) left.push([next, end]);
    return left;
  }

  #sorted(): readonly [number, number][] {
    if (!this.#isSorted) this.#ranges.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    this.#isSorted = true;
    return this.#ranges;
  }
}
