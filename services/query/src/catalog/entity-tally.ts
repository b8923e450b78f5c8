import { type Micros, micros, type Position, position } from '@allsource/shared/model';
import { entityHash, tenantSeed } from '../history/entity-hash.ts';
import type { RunSource } from '../history/event-run.ts';
import { type HashedName, NameKey } from '../history/name-table.ts';
import {
  type CountedEvent,
  type EntityFacts,
  EntityRecords,
  type NotedEvent,
} from './entity-records.ts';
import { EntityTable } from './entity-table.ts';
import { SortedWindow, type WindowBounds } from './sorted-window.ts';
import { Turns } from '../history/turns.ts';

const ENTITIES_A_TURN = 8_192;
const PARTITION_SHIFT = 20;
const PARTITIONS = 2 ** (32 - PARTITION_SHIFT);

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
   * Entities by the time of their last event, of equal times by their id, which always ascends. Of many entities the event loop turns in between; the
   * page is of the moment of the call, whatever is noted meanwhile.
   */
  async page(
    order: 'asc' | 'desc',
    bounds: WindowBounds,
    typeName: (type: number) => string,
  ): Promise<EntityEntry[]> {
    const records = this.#records;
    const { size } = this;
    const before = records.watch();
    try {
      const window = new SortedWindow(size, comparison(records, before, order), bounds);
      const turns = new Turns();
      for (let from = 0; from < size; from += ENTITIES_A_TURN) {
        window.offer(from, Math.min(size, from + ENTITIES_A_TURN));
        await turns.next();
      }
      return Array.from(window.result(), (number) =>
        this.#entry(number, before.get(number) ?? records.facts(number), typeName),
      );
    } finally {
      records.unwatch(before);
    }
  }

  /** All entities, in the order in which they first came. */
  *entries(typeName: (type: number) => string): Generator<EntityEntry> {
    for (let number = 0; number < this.size; number++)
      yield this.#entry(number, this.#records.facts(number), typeName);
  }

  // oxlint-disable-next-line eslint/max-params -- which entity, what is known of it, and the names of types.
  #entry(number: number, facts: EntityFacts, typeName: (type: number) => string): EntityEntry {
    return {
      entity: this.#records.name(number),
      eventCount: facts.eventCount,
      lastType: typeName(facts.lastType),
      lastTimestamp: micros(facts.lastTimestamp),
      lastPosition: position(facts.lastPosition),
    };
  }
}

/** By time and then by id, as the entities were before what was noted since. */
function comparison(
  records: EntityRecords,
  before: ReadonlyMap<number, EntityFacts>,
  order: 'asc' | 'desc',
): (a: number, b: number) => number {
  const sign = order === 'asc' ? 1 : -1;
  const time = (number: number) =>
    before.size === 0
      ? records.lastTimestamp(number)
      : (before.get(number)?.lastTimestamp ?? records.lastTimestamp(number));
  return (a, b) =>
    sign * (time(a) - time(b)) || (a === b ? 0 : compareTexts(records.name(a), records.name(b)));
}

/** Compares by UTF-16 code units, as `sort` does. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
