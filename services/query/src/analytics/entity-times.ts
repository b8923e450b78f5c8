import type { Pace } from '@allsource/service-kit/turns';
import { sortNumbers } from './sort-numbers.ts';

const FIRST = 1024;
const ENTITIES_A_STEP = 8_192;
const TIMES_A_STEP = 131_072;

export interface TimedColumns {
  /** The run's entity numbers to those of the scan. */
  readonly numbers: Uint32Array;
  readonly entities: Uint32Array;
  readonly timestamps: Float64Array;
}

/** Times by entity: first collected in any order, then sorted, then asked for the nearest one. */
export class EntityTimes {
  #entities = new Uint32Array(FIRST);
  #collected = new Float64Array(FIRST);
  #size = 0;
  /** Entity number to the end of its times in `#sorted`; they begin where those of the one before end. */
  #ends = new Uint32Array(0);
  #sorted = new Float64Array(0);

  get size(): number {
    return this.#size;
  }

  add(rows: Uint32Array, { numbers, entities, timestamps }: TimedColumns): void {
    this.#reserve(this.#size + rows.length);
    let size = this.#size;
    for (const row of rows) {
      this.#entities[size] = numbers[entities[row] as number] as number;
      this.#collected[size++] = timestamps[row] as number;
    }
    this.#size = size;
  }

  #reserve(wanted: number): void {
    if (wanted <= this.#collected.length) return;
    const capacity = Math.max(wanted, this.#collected.length * 2);
    const entities = new Uint32Array(capacity);
    const collected = new Float64Array(capacity);
    entities.set(this.#entities);
    collected.set(this.#collected);
    this.#entities = entities;
    this.#collected = collected;
  }

  /** Groups the times by entity and sorts each group. `entityCount` is above all entity numbers. */
  async sort(entityCount: number, pace: Pace): Promise<void> {
    const next = await this.#starts(entityCount, pace);
    const sorted = new Float64Array(this.#size);
    for (let i = 0; i < this.#size; i++) {
      const entity = this.#entities[i] as number;
      const place = next[entity] as number;
      sorted[place] = this.#collected[i] as number;
      next[entity] = place + 1;
      if (i % TIMES_A_STEP === 0 && pace.isTurnOver) await pace.nextTurn();
    }
    this.#sorted = sorted;
    this.#ends = next;
    this.#collected = new Float64Array(0);
    for (let entity = 0; entity < entityCount; entity++) {
      const [start, end] = this.#range(entity);
      if (end - start > 1) await sortNumbers(sorted.subarray(start, end), pace);
      if (entity % ENTITIES_A_STEP === 0 && pace.isTurnOver) await pace.nextTurn();
    }
  }

  /** Entity number to where its times begin. */
  async #starts(entityCount: number, pace: Pace): Promise<Uint32Array<ArrayBuffer>> {
    const starts = new Uint32Array(entityCount);
    for (let i = 0; i < this.#size; i++) {
      const entity = (this.#entities[i] as number) + 1;
      if (entity < entityCount) starts[entity] = (starts[entity] as number) + 1;
      if (i % TIMES_A_STEP === 0 && pace.isTurnOver) await pace.nextTurn();
    }
    for (let entity = 1; entity < entityCount; entity++)
      starts[entity] = (starts[entity] as number) + (starts[entity - 1] as number);
    return starts;
  }

  #range(entity: number): [number, number] {
    return [entity === 0 ? 0 : (this.#ends[entity - 1] as number), this.#ends[entity] as number];
  }

  /** The times of an entity, sorted. Entities that came after the sorting have none. */
  of(entity: number): Float64Array {
    if (entity >= this.#ends.length) return this.#sorted.subarray(0, 0);
    return this.#sorted.subarray(...this.#range(entity));
  }

  /** The time of an entity that is nearest to `time`, of two as near the later one; infinite when it has none. */
  nearest(entity: number, time: number): number {
    // Entities that came after the sorting have no times here.
    if (entity >= this.#ends.length) return Number.POSITIVE_INFINITY;
    const [start, end] = this.#range(entity);
    let low = start;
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] as number) < time) low = middle + 1;
      else high = middle;
    }
    const after = low < end ? (this.#sorted[low] as number) : Number.POSITIVE_INFINITY;
    const before = low > start ? (this.#sorted[low - 1] as number) : Number.NEGATIVE_INFINITY;
    return after - time <= time - before ? after : before;
  }
}
