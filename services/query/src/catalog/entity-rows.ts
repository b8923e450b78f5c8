import { type Micros, micros, type Position, position } from '@allsource/shared/model';
import type { EntityFacts, EntityRecords } from './entity-records.ts';

/** What is known of an entity from the events that were counted. "Last" is the event with the latest timestamp, of equal ones the newest. */
export interface EntityEntry {
  readonly entity: string;
  readonly eventCount: number;
  readonly lastType: string;
  readonly lastTimestamp: Micros;
  readonly lastPosition: Position;
}

export interface NamedFacts extends EntityFacts {
  readonly typeName: (type: number) => string;
}

export function entityEntry(
  records: EntityRecords,
  number: number,
  facts: NamedFacts,
): EntityEntry {
  return {
    entity: records.name(number),
    eventCount: facts.eventCount,
    lastType: facts.typeName(facts.lastType),
    lastTimestamp: micros(facts.lastTimestamp),
    lastPosition: position(facts.lastPosition),
  };
}

/** Entities of a page, of one moment: twenty-eight bytes each, and an entry only while it is looked at, for a page may have millions. */
export class EntityRows implements Iterable<EntityEntry> {
  readonly #records: EntityRecords;
  readonly #numbers: Uint32Array;
  readonly #typeName: (type: number) => string;
  readonly #timestamps: Float64Array;
  readonly #positions: Float64Array;
  readonly #counts: Uint32Array;
  readonly #types: Uint32Array;

  constructor(records: EntityRecords, numbers: Uint32Array, typeName: (type: number) => string) {
    this.#records = records;
    this.#numbers = numbers;
    this.#typeName = typeName;
    this.#timestamps = new Float64Array(numbers.length);
    this.#positions = new Float64Array(numbers.length);
    this.#counts = new Uint32Array(numbers.length);
    this.#types = new Uint32Array(numbers.length);
  }

  get length(): number {
    return this.#numbers.length;
  }

  /** Says what was known of an entity of the page. */
  set(row: number, facts: EntityFacts): void {
    this.#timestamps[row] = facts.lastTimestamp;
    this.#positions[row] = facts.lastPosition;
    this.#counts[row] = facts.eventCount;
    this.#types[row] = facts.lastType;
  }

  *[Symbol.iterator](): Generator<EntityEntry> {
    for (const [row, number] of this.#numbers.entries())
      yield entityEntry(this.#records, number, {
        lastTimestamp: this.#timestamps[row] as number,
        lastPosition: this.#positions[row] as number,
        eventCount: this.#counts[row] as number,
        lastType: this.#types[row] as number,
        typeName: this.#typeName,
      });
  }
}
