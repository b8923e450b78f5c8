import type { EventRun, RunSource } from '../history/event-run.ts';

/** What is known of runs from earlier scans, within a bound of bytes: what was not used for longest is dropped, and computed again when needed. */
export class RunCache<T> {
  readonly #bytesMax: number;
  /** The least recently used first. */
  readonly #entries = new Map<RunSource, { readonly value: T; readonly bytes: number }>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(source: RunSource): T | null {
    const entry = this.#entries.get(source);
    if (entry === undefined) return null;
    this.#entries.delete(source);
    this.#entries.set(source, entry);
    return entry.value;
  }

  /** Keeps a value; one that alone is over the bound is not kept. */
  set(source: RunSource, value: T, bytes: number): void {
    this.#drop(source);
    this.#entries.set(source, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#drop(oldest);
    }
  }

  /** Drops what is of runs that are no more, such as a tail that became a block. */
  retain(runs: readonly EventRun[]): void {
    if (this.#entries.size <= runs.length) return;
    const sources = new Set(runs.map((run) => run.source));
    for (const source of this.#entries.keys()) if (!sources.has(source)) this.#drop(source);
  }

  #drop(source: RunSource): void {
    this.#bytes -= this.#entries.get(source)?.bytes ?? 0;
    this.#entries.delete(source);
  }
}
