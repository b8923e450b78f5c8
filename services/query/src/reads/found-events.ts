import type { RunMatch, StoredEvent } from '../history/event-history.ts';
import { must } from '@allsource/shared/lang';

/**
 * The events that a search found, numbered 0, 1, 2, ... in position order: rows of runs, four bytes each, until an event is asked
 * for.
 */
export class FoundEvents {
  readonly #matches: RunMatch[] = [];
  /** The number of the first event of each match. */
  readonly #starts: number[] = [];
  #count = 0;
  #isTimeOrdered = true;
  #lastTimestamp = Number.NEGATIVE_INFINITY;
  /** The match looked at last: numbers are mostly asked for one after the other. */
  #current = 0;

  get count(): number {
    return this.#count;
  }

  /** True when no event has an earlier timestamp than the one before it, as without imports of the past. */
  get isTimeOrdered(): boolean {
    return this.#isTimeOrdered;
  }

  /** Adds the next rows in position order. */
  add(match: RunMatch): void {
    if (match.rows.length === 0) return;
    this.#matches.push(match);
    this.#starts.push(this.#count);
    this.#count += match.rows.length;
    if (this.#isTimeOrdered) this.#checkOrder(match);
  }

  #checkOrder({ run, rows }: RunMatch): void {
    const { timestamps } = run.source;
    const first = timestamps[rows[0] as number] as number;
    this.#isTimeOrdered =
      first >= this.#lastTimestamp && (run.isTimeOrdered || areAscending(timestamps, rows));
    this.#lastTimestamp = timestamps[rows.at(-1) as number] as number;
  }

  timestamp(number: number): number {
    const { run, rows } = this.#matchOf(number);
    return run.source.timestamps[this.#rowOf(rows, number)] as number;
  }

  version(number: number): number {
    const { run, rows } = this.#matchOf(number);
    return run.source.versions[this.#rowOf(rows, number)] as number;
  }

  event(number: number): StoredEvent {
    const { run, rows } = this.#matchOf(number);
    return run.event(this.#rowOf(rows, number));
  }

  /** All timestamps and versions by number, for sorting. */
  sortKeys(): { readonly timestamps: Float64Array; readonly versions: Float64Array } {
    const timestamps = new Float64Array(this.#count);
    const versions = new Float64Array(this.#count);
    let number = 0;
    for (const { run, rows } of this.#matches) {
      const { source } = run;
      const times = source.timestamps;
      const streamVersions = source.versions;
      for (const row of rows) {
        timestamps[number] = times[row] as number;
        versions[number++] = streamVersions[row] as number;
      }
    }
    return { timestamps, versions };
  }

  #matchOf(number: number): RunMatch {
    const starts = this.#starts;
    const current = this.#current;
    const isCurrent =
      number >= (starts[current] ?? 0) && number < (starts[current + 1] ?? this.#count);
    if (!isCurrent) this.#current = lastAtMost(starts, number);
    return must(this.#matches[this.#current], 'the number of a found event');
  }

  #rowOf(rows: Uint32Array, number: number): number {
    return rows[number - (this.#starts[this.#current] as number)] as number;
  }
}

function areAscending(timestamps: Float64Array, rows: Uint32Array): boolean {
  let last = Number.NEGATIVE_INFINITY;
  for (const row of rows) {
    const timestamp = timestamps[row] as number;
    if (timestamp < last) return false;
    last = timestamp;
  }
  return true;
}

/** The index of the last value that is not above `wanted`. */
function lastAtMost(sorted: readonly number[], wanted: number): number {
  let low = 0;
  let high = sorted.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) <= wanted) low = middle;
    else high = middle;
  }
  return low;
}
