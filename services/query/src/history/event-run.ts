/**
 * A run is a stretch of the history: one block file, or the tail as it was at some moment. Its rows are the events of clients in position
 * order, in columns; names (tenants, types, entities) are numbers into dictionaries of the run. A run never changes, so whoever holds one
 * reads the same rows whatever is applied meanwhile.
 */
import { type Micros, micros, type Position, position, version } from '@allsource/shared/model';
import { must } from '@allsource/shared/lang';
import { eventIdAt, metadataAt, payloadAt, type RowTexts } from './row-text.ts';
import type { EventSelection, StoredEvent } from './stored-event.ts';

/** Where the rows of a run come from. Columns have an entry for each row, and may have more than the run has rows. */
export interface RunSource extends RowTexts {
  /** The first position covered; the first row may lie behind it, because system events have no rows. */
  readonly firstPosition: Position;
  readonly tenantNames: readonly string[];
  readonly typeNames: readonly string[];
  readonly entityCount: number;
  /** Entity number to tenant number. */
  readonly entityTenants: Uint32Array;
  /** Entity number to hash; see entity-hash.ts. */
  readonly entityHashes: Uint32Array;
  /** Entity number to the end of its id in `entityNames`; it begins where the one before ends. */
  readonly entityNameEnds: Uint32Array;
  /** The entity ids in UTF-8, end to end. */
  readonly entityNames: Uint8Array;
  /** Row to position, counted from `firstPosition`. */
  readonly positions: Uint32Array;
  /** Row to entity number. */
  readonly entities: Uint32Array;
  /** Row to type number. */
  readonly types: Uint32Array;
  readonly versions: Float64Array;
  /** Microseconds. */
  readonly timestamps: Float64Array;
  /** Microseconds. */
  readonly recordedAts: Float64Array;
  entityName(entity: number): string;
  entityPartition(entity: number): number;
  /** The number of an entity; -1 when the source has no event of it. */
  findEntity(tenant: string, entity: string): number;
  /** The rows of an entity, ascending; those of a tail may go on behind the run's last row. */
  rowsOfEntity(entity: number): Uint32Array;
}

/** What a run covers. */
export interface RunExtent {
  readonly rowCount: number;
  readonly lastPosition: Position;
  /** The earliest and latest `timestamp` of its rows. */
  readonly timestampMin: Micros;
  readonly timestampMax: Micros;
  /** True when no row has an earlier timestamp than the one before it; null when nobody has looked. */
  readonly isTimeOrdered: boolean | null;
}

export class EventRun {
  readonly source: RunSource;
  readonly rowCount: number;
  readonly lastPosition: Position;
  readonly timestampMin: Micros;
  readonly timestampMax: Micros;
  #isTimeOrdered: boolean | null;

  constructor(source: RunSource, extent: RunExtent) {
    this.source = source;
    this.rowCount = extent.rowCount;
    this.lastPosition = extent.lastPosition;
    this.timestampMin = extent.timestampMin;
    this.timestampMax = extent.timestampMax;
    this.#isTimeOrdered = extent.isTimeOrdered;
  }

  get firstPosition(): Position {
    return this.source.firstPosition;
  }

  /** True when no row has an earlier timestamp than the one before it, as without imports of the past. */
  get isTimeOrdered(): boolean {
    this.#isTimeOrdered ??= isAscending(this.source.timestamps, this.rowCount);
    return this.#isTimeOrdered;
  }

  /** True when no row can be meant, known without looking at one. */
  isOutsideOf({ since, until }: Pick<EventSelection, 'since' | 'until'>): boolean {
    return (
      (since !== undefined && this.timestampMax < since) ||
      (until !== undefined && this.timestampMin > until)
    );
  }

  /** The event of a row. Nothing is read until a member of it is. */
  event(row: number): StoredEvent {
    return new RunEvent(this.source, row);
  }

  positionAt(row: number): Position {
    return position(this.firstPosition + at(this.source.positions, row));
  }

  /** The row of the event at a position; -1 when it holds none, as for a system event. */
  rowAt(wanted: Position): number {
    const row = this.rowsUntil(wanted) - 1;
    return row >= 0 && this.positionAt(row) === wanted ? row : -1;
  }

  /** How many rows lie at or below a position. */
  rowsUntil(last: Position): number {
    if (last >= this.lastPosition) return this.rowCount;
    const { positions } = this.source;
    const wanted = last - this.firstPosition;
    let low = 0;
    let high = this.rowCount;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((positions[middle] as number) <= wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A row as an event. */
class RunEvent implements StoredEvent {
  readonly #source: RunSource;
  readonly #row: number;

  constructor(source: RunSource, row: number) {
    this.#source = source;
    this.#row = row;
  }

  get position(): Position {
    return position(this.#source.firstPosition + at(this.#source.positions, this.#row));
  }

  get id(): string {
    return eventIdAt(this.#source, this.#row);
  }

  get tenant(): string {
    const tenant = at(this.#source.entityTenants, this.#entity);
    return must(this.#source.tenantNames[tenant], 'a tenant of the run');
  }

  get type(): string {
    return must(this.#source.typeNames[at(this.#source.types, this.#row)], 'a type of the run');
  }

  get entity(): string {
    return this.#source.entityName(this.#entity);
  }

  get version() {
    return version(at(this.#source.versions, this.#row));
  }

  get partition(): number {
    return this.#source.entityPartition(this.#entity);
  }

  get timestamp(): Micros {
    return micros(at(this.#source.timestamps, this.#row));
  }

  get recordedAt(): Micros {
    return micros(at(this.#source.recordedAts, this.#row));
  }

  payload(): Buffer {
    return payloadAt(this.#source, this.#row);
  }

  metadata(): Buffer | null {
    return metadataAt(this.#source, this.#row);
  }

  get #entity(): number {
    return at(this.#source.entities, this.#row);
  }
}

function isAscending(values: Float64Array, count: number): boolean {
  for (let i = 1; i < count; i++)
    if ((values[i] as number) < (values[i - 1] as number)) return false;
  return true;
}

function at(column: Uint32Array | Float64Array, index: number): number {
  return must(column[index], 'a row of the run');
}
