/**
 * The first rows of many in the order of answers, found without sorting all of them. Rows are taken in as they come; once there are more than enough, those are let go whose timestamp can no longer
 * be among the first. What is left holds all of the first `wanted` rows and few others, whatever the size of the history.
 */
import type { QueryOrder } from '@allsource/shared/protocol';
import type { RunMatch } from '../history/event-history.ts';
import type { EventRun } from '../history/event-run.ts';

/** Rows taken in at once. */
const SLICE_ROWS = 8_192;
/** Fewer rows than this are not worth a look. */
const PRUNED_MIN = 256;
/** More rows than this are not sought: looking for the last of them would hold up others. All rows are kept then. */
const WANTED_MAX = 32_768;

export class BestRows {
  readonly #order: QueryOrder;
  readonly #wanted: number;
  #parts: RunMatch[] = [];
  #count = 0;
  /** The timestamp of the last of the first `wanted` rows so far; null while there are not so many. */
  #bound: number | null = null;
  /** With more rows than this it is time to let some go. */
  #pruneAbove: number;

  /** `wanted` may be infinite: then all rows are kept. */
  constructor(order: QueryOrder, wanted: number) {
    this.#order = order;
    this.#wanted = wanted;
    this.#pruneAbove =
      wanted > WANTED_MAX ? Number.POSITIVE_INFINITY : Math.max(wanted * 2, PRUNED_MIN);
  }

  /** What is left, in the order it came. */
  get parts(): readonly RunMatch[] {
    return this.#parts;
  }

  /** True when no row of a run can be among the first. */
  excludes({ timestampMin, timestampMax }: EventRun): boolean {
    if (this.#bound === null) return false;
    return this.#order === 'asc' ? timestampMin > this.#bound : timestampMax < this.#bound;
  }

  /** Takes in rows of a run. */
  add({ run, rows }: RunMatch): void {
    for (let start = 0; start < rows.length; start += SLICE_ROWS) {
      const kept = this.#kept({ run, rows: rows.subarray(start, start + SLICE_ROWS) });
      if (kept.length === 0) continue;
      this.#parts.push({ run, rows: kept });
      this.#count += kept.length;
      if (this.#count > this.#pruneAbove) this.#prune();
    }
  }

  #kept({ run, rows }: RunMatch): Uint32Array {
    const bound = this.#bound;
    if (bound === null) return rows;
    const { timestamps } = run.source;
    return this.#order === 'asc'
      ? rows.filter((row) => (timestamps[row] as number) <= bound)
      : rows.filter((row) => (timestamps[row] as number) >= bound);
  }

  #prune(): void {
    const sorted = new Float64Array(this.#count);
    let at = 0;
    for (const { run, rows } of this.#parts) {
      const { timestamps } = run.source;
      for (const row of rows) sorted[at++] = timestamps[row] as number;
    }
    sorted.sort();
    const last = this.#order === 'asc' ? this.#wanted - 1 : sorted.length - this.#wanted;
    this.#bound = sorted[last] as number;
    this.#parts = this.#parts
      .map((part) => ({ run: part.run, rows: this.#kept(part) }))
      .filter(({ rows }) => rows.length > 0);
    this.#count = this.#parts.reduce((sum, { rows }) => sum + rows.length, 0);
    // Events of one instant cannot be told apart here: where there are many, the next look waits for as many again.
    this.#pruneAbove = Math.max(this.#pruneAbove, this.#count * 2);
  }
}
