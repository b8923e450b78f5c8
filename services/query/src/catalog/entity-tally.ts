import { type Micros, micros, type Position, position } from '@allsource/shared/model';
import { entityHash, tenantSeed } from '../history/entity-hash.ts';
import type { RunSource } from '../history/event-run.ts';
import { NameKey } from '../history/name-table.ts';
import { type CountedEvent, EntityRecords, type NotedEvent } from './entity-records.ts';
import { EntityTable } from './entity-table.ts';
import { sortedWindow, type WindowBounds } from './sorted-window.ts';

/** What is known of an entity from the events that were counted. "Last" is the event with the latest timestamp, of equal ones the newest. */
export interface EntityEntry {
  readonly entity: string;
  readonly eventCount: number;
  readonly lastType: string;
  readonly lastTimestamp: Micros;
  readonly lastPosition: Position;
}

/** Counts events by entity: sixty-four bytes an entity, and about fifteen to find it. Types are numbers of the owner's. */
export class EntityTally {
  readonly #records = new EntityRecords();
  readonly #table = new EntityTable(this.#records);
  readonly #key = new NameKey();

  get size(): number {
    return this.#records.size;
  }

  /** Bytes of memory held, without the overhead of the engine. */
  get bytes(): number {
    return this.#table.bytes + this.#records.bytes;
  }

  /** The number of an entity of a run, a new one if it has none. */
  numberOf(source: RunSource, entity: number): number {
    const key = this.#key;
    const ends = source.entityNameEnds;
    key.bytes = source.entityNames;
    key.start = entity === 0 ? 0 : (ends[entity - 1] as number);
    key.end = ends[entity] as number;
    key.hash = source.entityHashes[entity] as number;
    return this.#table.numberOf(key);
  }

  /**
   * Brings the records of some entities near, by number or, where that is not known, by hash. Records lie all over the memory; loads that do
   * not wait for each other take a fraction of the time that one after the other takes.
   */
  touch(hints: Float64Array, count: number): number {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const hint = hints[i] as number;
      if (hint < 0) hints[i] = this.#table.candidate(-1 - hint);
    }
    for (let i = 0; i < count; i++)
      if ((hints[i] as number) >= 0) sum += this.#records.eventCount(hints[i] as number);
    return sum;
  }

  /** Counts an event of an entity number. */
  count(entity: number, event: CountedEvent): void {
    this.#records.count(entity, event);
  }

  /** Takes note of an event of an entity number, which may have been counted before. */
  note(entity: number, event: NotedEvent): void {
    this.#records.note(entity, event);
  }

  get records(): EntityRecords {
    return this.#records;
  }

  /** Finds again what was taken back into the records, of this tenant; some of them at a time. */
  restoreRange(tenant: string, { from, to }: { readonly from: number; readonly to: number }): void {
    const seed = tenantSeed(tenant);
    for (let number = from; number < to; number++)
      this.#table.restore(this.#records.hash(number, seed), number);
  }

  /** How many events of an entity were counted. */
  eventCount(tenant: string, entity: string): number {
    const bytes = Buffer.from(entity);
    const range = { start: 0, end: bytes.length };
    const hash = entityHash(tenantSeed(tenant), bytes, range);
    const number = this.#table.find({ ...range, bytes, hash, owner: 0 });
    return number === -1 ? 0 : this.#records.eventCount(number);
  }

  /** Entities by the time of their last event, of equal times by their id, which always ascends. */
  page(
    order: 'asc' | 'desc',
    bounds: WindowBounds,
    typeName: (type: number) => string,
  ): EntityEntry[] {
    const sign = order === 'asc' ? 1 : -1;
    const records = this.#records;
    const compare = (a: number, b: number) =>
      sign * (records.lastTimestamp(a) - records.lastTimestamp(b)) ||
      (a === b ? 0 : compareTexts(records.name(a), records.name(b)));
    const numbers = sortedWindow(this.size, compare, bounds);
    return Array.from(numbers, (number) => this.#entry(number, typeName));
  }

  /** All entities, in the order in which they first came. */
  *entries(typeName: (type: number) => string): Generator<EntityEntry> {
    for (let number = 0; number < this.size; number++) yield this.#entry(number, typeName);
  }

  #entry(number: number, typeName: (type: number) => string): EntityEntry {
    const records = this.#records;
    return {
      entity: records.name(number),
      eventCount: records.eventCount(number),
      lastType: typeName(records.lastType(number)),
      lastTimestamp: micros(records.lastTimestamp(number)),
      lastPosition: position(records.lastPosition(number)),
    };
  }
}

/** Compares by UTF-16 code units, as `sort` does. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
