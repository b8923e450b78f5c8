import type { EventRun } from '../history/event-run.ts';
import { type EntityEntry, EntityTally } from './entity-tally.ts';
import type { WindowBounds } from './sorted-window.ts';
import { type TypeEntry, TypeTally } from './type-tally.ts';

/** One page of a list and how long the list is. */
export interface CatalogPage<T> {
  readonly rows: readonly T[];
  readonly total: number;
}

/**
 * Counts of events by entity and by type, of one tenant. The catalog keeps one of all events; a question about some of the events makes
 * one of these.
 */
export class TenantCatalog {
  readonly #entities = new EntityTally();
  readonly #types = new TypeTally();
  #eventCount = 0;

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
    return this.#entities.eventCount(entity);
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

  /** How rows of a run are counted here; see {@link RunFold}. */
  fold(run: EventRun): RunFold {
    const { source } = run;
    const numbers: number[] = [];
    const typeNumbers: number[] = [];
    const entityOf = (entity: number) =>
      (numbers[entity] ??= this.#entities.numberOf(source.entityName(entity)));
    const typeOf = (type: number) =>
      (typeNumbers[type] ??= this.#types.numberOf(source.typeNames[type] as string));
    return (row) => {
      const timestamp = source.timestamps[row] as number;
      const type = typeOf(source.types[row] as number);
      const position = source.firstPosition + (source.positions[row] as number);
      this.#entities.count(entityOf(source.entities[row] as number), { type, timestamp, position });
      this.#types.count(type, timestamp);
      this.#eventCount++;
    };
  }
}

/** Counts one row. Remembers which number of the run is which number of the catalog, so it is kept as long as rows of that run come. */
export type RunFold = (row: number) => void;
