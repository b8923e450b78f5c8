import { type Micros, micros } from '@allsource/shared/model';
import { Dictionary } from '../history/dictionary.ts';
import type { Pace } from '@allsource/service-kit/turns';
import { inSlices } from './key-order.ts';
import { compareTexts } from './compare-texts.ts';
import { sortedWindow, type WindowBounds } from './sorted-window.ts';

/** What is known of an event type. */
export interface TypeEntry {
  readonly type: string;
  readonly eventCount: number;
  readonly lastTimestamp: Micros;
}

/** Counts events by type. */
export class TypeTally {
  readonly #types = new Dictionary();
  readonly #counts: number[] = [];
  readonly #lastTimestamps: number[] = [];

  get size(): number {
    return this.#types.names.length;
  }

  /** The number of a type, a new one if it has none. */
  numberOf(type: string): number {
    const number = this.#types.numberOf(type);
    this.#counts[number] ??= 0;
    this.#lastTimestamps[number] ??= Number.NEGATIVE_INFINITY;
    return number;
  }

  name(type: number): string {
    return this.#types.name(type);
  }

  /** Counts an event of a type number. */
  count(type: number, timestamp: number): void {
    (this.#counts[type] as number)++;
    if (timestamp > (this.#lastTimestamps[type] as number)) this.#lastTimestamps[type] = timestamp;
  }

  /** All types by their numbers, for a checkpoint. */
  entries(): TypeEntry[] {
    return this.#types.names.map((type, number) => ({
      type,
      eventCount: this.#counts[number] as number,
      lastTimestamp: micros(this.#lastTimestamps[number] as number),
    }));
  }

  /** Takes back types; they come by their numbers. */
  restore(entries: readonly TypeEntry[]): void {
    for (const { type, eventCount, lastTimestamp } of entries) {
      const number = this.numberOf(type);
      this.#counts[number] = eventCount;
      this.#lastTimestamps[number] = lastTimestamp;
    }
  }

  /** All type names by their numbers. */
  get names(): readonly string[] {
    return this.#types.names;
  }

  /** Types by their number of events, the most used first, of equal ones by name: those of the turn in which it is called, whatever is counted meanwhile. */
  async page(bounds: WindowBounds, pace: Pace): Promise<TypeEntry[]> {
    const counts = this.#counts.slice();
    const lastTimestamps = this.#lastTimestamps.slice();
    const { names } = this.#types;
    const compare = (a: number, b: number) =>
      (counts[b] as number) - (counts[a] as number) ||
      compareTexts(names[a] as string, names[b] as string);
    const numbers = await sortedWindow({ count: counts.length, compare }, bounds, pace);
    const page: TypeEntry[] = [];
    await inSlices(numbers.length, pace, (from, to) => {
      for (let i = from; i < to; i++) {
        const number = numbers[i] as number;
        const type = this.name(number);
        const eventCount = counts[number] as number;
        page.push({ type, eventCount, lastTimestamp: micros(lastTimestamps[number] as number) });
      }
    });
    return page;
  }
}
