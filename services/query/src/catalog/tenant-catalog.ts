import { must } from '@allsource/shared/lang';
import type { RunSource } from '../history/event-run.ts';
import { defaultBudget } from '../reads/query-budget.ts';
import type { Pace } from '@allsource/service-kit/turns';
import type { EntityEntry, EntityRows } from './entity-rows.ts';
import { EntityTally } from './entity-tally.ts';
import type { WindowBounds } from './sorted-window.ts';
import { type TypeEntry, TypeTally } from './type-tally.ts';

/** One page of a list and how long the list is. */
export interface CatalogPage<T> {
  readonly rows: readonly T[];
  readonly total: number;
}

/** One page of entities and how many there are. */
export interface EntityPage {
  readonly rows: EntityRows;
  readonly total: number;
}

/** The columns that are counted. A source that grows may replace its columns, so they are taken anew for each stretch of rows. */
export type CountedColumns = Pick<
  RunSource,
  'entities' | 'types' | 'timestamps' | 'positions' | 'versions'
>;

/** Takes the columns of a source once: its getters may cost more than the work on a row. */
export function countedColumns(source: RunSource): CountedColumns {
  const { entities, types, timestamps, positions, versions } = source;
  return { entities, types, timestamps, positions, versions };
}

/**
 * Counts one row of a source. It remembers which number of the source is which number of the catalog, so one is kept as long as rows
 * of that source come.
 */
export type RowCounter = (row: number, columns: CountedColumns) => void;

const ENTITIES_FIRST = 1024;
/** Fewer entities than this lie near enough by themselves. */
const ENTITIES_FAR_MIN = 50_000;
const ROWS_A_BATCH = 128;
/** For each row of a batch the entity's number, or -1 - hash while it is not known. */
const hints = new Float64Array(ROWS_A_BATCH);

/** What a counter needs of the catalog it counts for. */
export interface Tallies {
  readonly entities: EntityTally;
  readonly types: TypeTally;
  eventCount: number;
}

/** The rows of one source, counted one by one without an object for each. */
export class SourceCounter {
  readonly #source: RunSource;
  readonly #tallies: Tallies;
  /** Entity number of the source to that of the tally, plus one; 0 while it is not known. */
  #numbers: Uint32Array;
  readonly #typeNumbers: number[] = [];
  readonly #event = { type: 0, timestamp: 0, position: 0, version: 0 };

  constructor(source: RunSource, tallies: Tallies) {
    this.#source = source;
    this.#tallies = tallies;
    this.#numbers = new Uint32Array(Math.max(ENTITIES_FIRST, source.entityCount));
  }

  /** Takes note of neighbouring rows of all rows there are; see `note` of EntityRecords. */
  noteRange(columns: CountedColumns, rows: { readonly from: number; readonly to: number }): void {
    const { entities } = columns;
    if (this.#tallies.entities.size < ENTITIES_FAR_MIN) {
      for (let row = rows.from; row < rows.to; row++) this.note(row, columns);
      return;
    }
    const hashes = this.#source.entityHashes;
    for (let from = rows.from; from < rows.to; from += ROWS_A_BATCH) {
      const to = Math.min(rows.to, from + ROWS_A_BATCH);
      for (let row = from; row < to; row++) {
        const entity = entities[row] as number;
        const known = this.#numbers[entity] ?? 0;
        hints[row - from] = known === 0 ? -1 - (hashes[entity] as number) : known - 1;
      }
      this.touched = this.#tallies.entities.touch(hints, to - from);
      for (let row = from; row < to; row++) this.note(row, columns);
    }
  }

  /** Keeps the loads of `noteRange` from being left out. */
  touched = 0;

  /** Counts a row of some rows that were chosen. */
  count(row: number, columns: CountedColumns): void {
    const entity = this.#read(row, columns);
    this.#tallies.entities.count(entity, this.#event);
  }

  /** Takes note of the next row of all rows there are. */
  note(row: number, columns: CountedColumns): void {
    const entity = this.#read(row, columns);
    this.#event.version = columns.versions[row] as number;
    this.#tallies.entities.note(entity, this.#event);
  }

  /** Reads a row and counts its type. Returns the number of its entity. */
  #read(row: number, columns: CountedColumns): number {
    const event = this.#event;
    const type = columns.types[row] as number;
    event.type = this.#typeNumbers[type] ?? this.#typeNumber(type);
    event.timestamp = columns.timestamps[row] as number;
    event.position = this.#source.firstPosition + (columns.positions[row] as number);
    const tallies = this.#tallies;
    tallies.types.count(event.type, event.timestamp);
    tallies.eventCount++;
    return this.#entityNumber(columns.entities[row] as number);
  }

  #entityNumber(entity: number): number {
    const known = this.#numbers[entity];
    if (known !== undefined && known !== 0) return known - 1;
    if (known === undefined) this.#grow();
    const number = this.#tallies.entities.numberOf(this.#source, entity);
    this.#numbers[entity] = number + 1;
    return number;
  }

  #grow(): void {
    const { entityCount } = this.#source;
    const numbers = new Uint32Array(Math.max(entityCount, this.#numbers.length * 2));
    numbers.set(this.#numbers);
    this.#numbers = numbers;
  }

  #typeNumber(type: number): number {
    const name = must(this.#source.typeNames[type], 'a type of the run');
    const number = this.#tallies.types.numberOf(name);
    this.#typeNumbers[type] = number;
    return number;
  }
}

/**
 * Counts of events by entity and by type, of one tenant. The catalog keeps one of all events; a question about some of the events makes
 * one of these.
 */
export class TenantCatalog {
  readonly #tenant: string;
  readonly #tallies: Tallies = {
    entities: new EntityTally(),
    types: new TypeTally(),
    eventCount: 0,
  };

  constructor(tenant: string) {
    this.#tenant = tenant;
  }

  get eventCount(): number {
    return this.#tallies.eventCount;
  }

  get entityCount(): number {
    return this.#tallies.entities.size;
  }

  get typeCount(): number {
    return this.#tallies.types.size;
  }

  /** Bytes of memory held for the entities, without the overhead of the engine. */
  get entityBytes(): number {
    return this.#tallies.entities.bytes;
  }

  /** How many events an entity has, which is its version. */
  entityEventCount(entity: string): number {
    return this.#tallies.entities.eventCount(this.#tenant, entity);
  }

  /** What a checkpoint has of it; see catalog-checkpoint.ts. */
  get tallies(): Tallies {
    return this.#tallies;
  }

  /** Entities by the time of their last event; of equal times, by their id ascending. All of the moment of the call. */
  async entities(
    order: 'asc' | 'desc',
    bounds: WindowBounds,
    pace: Pace = defaultBudget(),
  ): Promise<EntityPage> {
    const { entities, types } = this.#tallies;
    const total = entities.size;
    const typeName = (type: number) => types.name(type);
    const rows = await entities.page(order, bounds, { typeName, pace });
    return { rows, total };
  }

  /** All entities, in the order of their first event. */
  everyEntity(): Iterable<EntityEntry> {
    return this.#tallies.entities.entries((type) => this.#tallies.types.name(type));
  }

  /** Types, the most used first; of equal ones, by name. All of the moment of the call. */
  async types(bounds: WindowBounds, pace: Pace = defaultBudget()): Promise<CatalogPage<TypeEntry>> {
    const total = this.#tallies.types.size;
    return { rows: await this.#tallies.types.page(bounds, pace), total };
  }

  /** The names of all types of this moment, in the order in which they first came. */
  typeNames(): string[] {
    return [...this.#tallies.types.names];
  }

  /** How many events are of the types that are looked for. */
  eventCountOf(isWanted: (type: string) => boolean): number {
    const every = this.#tallies.types.entries();
    return every.reduce((sum, { type, eventCount }) => sum + (isWanted(type) ? eventCount : 0), 0);
  }

  /** Begins to count rows of a source. */
  counter(source: RunSource): RowCounter {
    const counter = this.sourceCounter(source);
    return (row, columns) => counter.count(row, columns);
  }

  sourceCounter(source: RunSource): SourceCounter {
    return new SourceCounter(source, this.#tallies);
  }
}
