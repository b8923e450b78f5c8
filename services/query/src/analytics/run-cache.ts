import type { RunSource } from '../history/event-run.ts';

interface Entry<T> {
  readonly value: T;
  readonly bytes: number;
}

/** Figures of a cache since the process began. */
export interface CacheFigures {
  readonly entries: number;
  readonly bytes: number;
  readonly bytesMax: number;
  readonly hits: number;
  readonly misses: number;
}

/**
 * What is known of runs from earlier scans, within a bound of bytes: what was not used for longest is dropped, and computed again when needed. Runs are not
 * held: one that is gone, such as a tail that became a block, leaves only its entry behind, until that is the oldest.
 */
export class RunCache<T> {
  readonly #bytesMax: number;
  readonly #bySource = new WeakMap<RunSource, Entry<T>>();
  /** The least recently used first. */
  readonly #entries = new Set<Entry<T>>();
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** What is kept, and how often it was found. */
  get figures(): CacheFigures {
    return {
      entries: this.#entries.size,
      bytes: this.#bytes,
      bytesMax: this.#bytesMax,
      hits: this.#hits,
      misses: this.#misses,
    };
  }

  get(source: RunSource): T | null {
    const entry = this.#bySource.get(source);
    if (entry === undefined || !this.#entries.has(entry)) {
      this.#misses += 1;
      return null;
    }
    this.#hits += 1;
    this.#entries.delete(entry);
    this.#entries.add(entry);
    return entry.value;
  }

  /** Keeps a value; one that alone is over the bound is not kept. */
  set(source: RunSource, value: T, bytes: number): void {
    const before = this.#bySource.get(source);
    if (before !== undefined) this.#drop(before);
    const entry = { value, bytes };
    this.#bySource.set(source, entry);
    this.#entries.add(entry);
    this.#bytes += bytes;
    for (const oldest of this.#entries) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#drop(oldest);
    }
  }

  #drop(entry: Entry<T>): void {
    if (this.#entries.delete(entry)) this.#bytes -= entry.bytes;
  }
}
