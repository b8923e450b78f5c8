import { entityHash, tenantSeed } from '../history/entity-hash.ts';
import type { RunSource } from '../history/event-run.ts';
import { type HashedName, NameKey } from '../history/name-table.ts';
import { type CountedEvent, EntityRecords, type NotedEvent } from './entity-records.ts';
import { EntityTable } from './entity-table.ts';
import { type EntityEntry, entityEntry, EntityRows } from './entity-rows.ts';
import { entitiesInOrder } from './entity-order.ts';
import { inSlices } from './key-order.ts';
import type { WindowBounds } from './sorted-window.ts';
import type { Pace } from '@allsource/service-kit/turns';

const PARTITION_SHIFT = 20;
const PARTITIONS = 2 ** (32 - PARTITION_SHIFT);

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
    return this.numberOfName(key);
  }

  /** The number of an entity by its name, a new one if it has none. */
  numberOfName(name: HashedName): number {
    return this.#table.numberOf(name);
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

  /**
   * Finds again what was taken back into the records, of this tenant; some of them at a time. They are put into the table in about the order of
   * their hashes, which is that of its memory.
   */
  restoreRange(tenant: string, { from, to }: { readonly from: number; readonly to: number }): void {
    const seed = tenantSeed(tenant);
    const hashes = new Uint32Array(to - from);
    const starts = new Uint32Array(PARTITIONS + 1);
    for (let i = 0; i < hashes.length; i++) {
      const hash = this.#records.hash(from + i, seed);
      hashes[i] = hash;
      const after = (hash >>> PARTITION_SHIFT) + 1;
      starts[after] = (starts[after] as number) + 1;
    }
    for (let i = 1; i <= PARTITIONS; i++)
      starts[i] = (starts[i] as number) + (starts[i - 1] as number);
    const order = new Uint32Array(hashes.length);
    for (let i = 0; i < hashes.length; i++) {
      const partition = (hashes[i] as number) >>> PARTITION_SHIFT;
      const place = starts[partition] as number;
      order[place] = i;
      starts[partition] = place + 1;
    }
    for (const i of order) this.#table.restore(hashes[i] as number, from + i);
  }

  /** How many events of an entity were counted. */
  eventCount(tenant: string, entity: string): number {
    const bytes = Buffer.from(entity);
    const range = { start: 0, end: bytes.length };
    const hash = entityHash(tenantSeed(tenant), bytes, range);
    const number = this.#table.find({ ...range, bytes, hash, owner: 0 });
    return number === -1 ? 0 : this.#records.eventCount(number);
  }

  /**
   * Entities by the time of their last event, of equal times by their id, which always ascends. The event loop turns in between; the page is of the moment
   * of the call, whatever is noted meanwhile.
   */
  async page(
    order: 'asc' | 'desc',
    bounds: WindowBounds,
    { typeName, pace }: { readonly typeName: (type: number) => string; readonly pace: Pace },
  ): Promise<EntityRows> {
    const records = this.#records;
    const { size } = this;
    const before = records.watch();
    try {
      const numbers = await entitiesInOrder({ records, size, before }, { order, bounds }, pace);
      const rows = new EntityRows(records, numbers, typeName);
      await inSlices(numbers.length, pace, (from, to) => {
        for (let i = from; i < to; i++) {
          const number = numbers[i] as number;
          rows.set(i, before.get(number) ?? records.facts(number));
        }
      });
      return rows;
    } finally {
      records.unwatch(before);
    }
  }

  /** All entities, in the order in which they first came. */
  *entries(typeName: (type: number) => string): Generator<EntityEntry> {
    for (let number = 0; number < this.size; number++)
      yield entityEntry(this.#records, number, { ...this.#records.facts(number), typeName });
  }
}
