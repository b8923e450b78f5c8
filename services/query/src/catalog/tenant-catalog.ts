import { must } from '@allsource/shared/lang';
import type { RunSource } from '../history/event-run.ts';
import { type EntityEntry, EntityTally } from './entity-tally.ts';
import type { WindowBounds } from './sorted-window.ts';
import { type TypeEntry, TypeTally } from './type-tally.ts';

/** One page of a list and how long the list is. */
export interface CatalogPage<T> {
  readonly rows: readonly T[];
  readonly total: number;
}

/** The columns that are counted. A source that grows may replace its columns, so they are taken anew for each stretch of rows. */
export type CountedColumns = Pick<RunSource, 'entities' | 'types' | 'timestamps' | 'positions'>;

/** Takes the columns of a source once: its getters may cost more than the work on a row. */
export function countedColumns(source: RunSource): CountedColumns {
  const { entities, types, timestamps, positions } = source;
  return { entities, types, timestamps, positions };
}

/**
 * Counts one row of a source. It remembers which number of the source is which number of the catalog, so one is kept as long as rows
 * of that source come.
 */
export type RowCounter = (row: number, columns: CountedColumns) => void;

/**
 * Counts of events by entity and by type, of one tenant. The catalog keeps one of all events; a question about some of the events makes
 * one of these.
 */
export class TenantCatalog {
  readonly #tenant: string;
  readonly #entities = new EntityTally();
  readonly #types = new TypeTally();
  #eventCount = 0;

  constructor(tenant: string) {
    this.#tenant = tenant;
  }

  get eventCount(): number {
    return this.#eventCount;
  }

  get entityCount(): number {
    return this.#entities.size;
  }

  get typeCount(): number {
    return this.#types.size;
  }

  /** How many events an entity has, which is its version. */
  entityEventCount(entity: string): number {
    return this.#entities.eventCount(this.#tenant, entity);
  }

  /** Entities by the time of their last event; of equal times, by their id ascending. */
  entities(order: 'asc' | 'desc', bounds: WindowBounds): CatalogPage<EntityEntry> {
    const rows = this.#entities.page(order, bounds, (type) => this.#types.name(type));
    return { rows, total: this.#entities.size };
  }

  /** All entities, in the order of their first event. */
  everyEntity(): Iterable<EntityEntry> {
    return this.#entities.entries((type) => this.#types.name(type));
  }

  /** Types, the most used first; of equal ones, by name. */
  types(bounds: WindowBounds): CatalogPage<TypeEntry> {
    return { rows: this.#types.page(bounds), total: this.#types.size };
  }

  /** Begins to count rows of a source. */
  counter(source: RunSource): RowCounter {
    const numbers: number[] = [];
    const typeNumbers: number[] = [];
    return (row, { entities, types, timestamps, positions }) => {
      const entity = entities[row] as number;
      const type = types[row] as number;
      const entityNumber = (numbers[entity] ??= this.#entities.numberOf(source, entity));
      const typeNumber = (typeNumbers[type] ??= this.#types.numberOf(typeName(source, type)));
      const timestamp = timestamps[row] as number;
      const position = source.firstPosition + (positions[row] as number);
      this.#entities.count(entityNumber, { type: typeNumber, timestamp, position });
      this.#types.count(typeNumber, timestamp);
      this.#eventCount++;
    };
  }
}

function typeName(source: RunSource, type: number): string {
  return must(source.typeNames[type], 'a type of the run');
}
