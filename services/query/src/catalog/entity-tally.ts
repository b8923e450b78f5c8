import { type Micros, micros, type Position, position } from '@allsource/shared/model';
import { entityHash, tenantSeed } from '../history/entity-hash.ts';
import type { RunSource } from '../history/event-run.ts';
import { NameTable } from '../history/name-table.ts';
import { sortedWindow, type WindowBounds } from './sorted-window.ts';

const CAPACITY_FIRST = 64;

/** What is known of an entity from the events that were counted. "Last" is the event with the latest timestamp, of equal ones the newest. */
export interface EntityEntry {
  readonly entity: string;
  readonly eventCount: number;
  readonly lastType: string;
  readonly lastTimestamp: Micros;
  readonly lastPosition: Position;
}

/** One event to count. Events of an entity are counted in position order. */
export interface CountedEvent {
  readonly type: number;
  readonly timestamp: number;
  readonly position: number;
}

/** Counts events by entity, in columns: about fifty bytes an entity beside its name. Types are numbers of the owner's. */
export class EntityTally {
  readonly #names = new NameTable();
  #counts = new Uint32Array(CAPACITY_FIRST);
  #lastTypes = new Uint32Array(CAPACITY_FIRST);
  #lastTimestamps = new Float64Array(CAPACITY_FIRST);
  #lastPositions = new Float64Array(CAPACITY_FIRST);

  get size(): number {
    return this.#names.count;
  }

  /** The number of an entity of a run, a new one if it has none. */
  numberOf(source: RunSource, entity: number): number {
    const known = this.size;
    const number = this.#names.numberOf({
      bytes: source.entityNames,
      start: entity === 0 ? 0 : (source.entityNameEnds[entity - 1] as number),
      end: source.entityNameEnds[entity] as number,
      hash: source.entityHashes[entity] as number,
      owner: 0,
    });
    if (number < known) return number;
    if (number >= this.#counts.length) this.#grow();
    this.#lastTimestamps[number] = Number.NEGATIVE_INFINITY;
    return number;
  }

  #grow(): void {
    const capacity = this.#counts.length * 2;
    const counts = new Uint32Array(capacity);
    const lastTypes = new Uint32Array(capacity);
    const lastTimestamps = new Float64Array(capacity);
    const lastPositions = new Float64Array(capacity);
    counts.set(this.#counts);
    lastTypes.set(this.#lastTypes);
    lastTimestamps.set(this.#lastTimestamps);
    lastPositions.set(this.#lastPositions);
    this.#counts = counts;
    this.#lastTypes = lastTypes;
    this.#lastTimestamps = lastTimestamps;
    this.#lastPositions = lastPositions;
  }

  /** Counts an event of an entity number. */
  count(entity: number, event: CountedEvent): void {
    this.#counts[entity] = (this.#counts[entity] as number) + 1;
    if (event.timestamp < (this.#lastTimestamps[entity] as number)) return;
    this.#lastTypes[entity] = event.type;
    this.#lastTimestamps[entity] = event.timestamp;
    this.#lastPositions[entity] = event.position;
  }

  /** How many events of an entity were counted. */
  eventCount(tenant: string, entity: string): number {
    const bytes = Buffer.from(entity);
    const range = { start: 0, end: bytes.length };
    const hash = entityHash(tenantSeed(tenant), bytes, range);
    const number = this.#names.find({ ...range, bytes, hash, owner: 0 });
    return number === -1 ? 0 : (this.#counts[number] as number);
  }

  /** Entities by the time of their last event, of equal times by their id, which always ascends. */
  page(
    order: 'asc' | 'desc',
    bounds: WindowBounds,
    typeName: (type: number) => string,
  ): EntityEntry[] {
    const sign = order === 'asc' ? 1 : -1;
    const times = this.#lastTimestamps;
    const names = this.#names;
    const compare = (a: number, b: number) =>
      sign * ((times[a] as number) - (times[b] as number)) ||
      (a === b ? 0 : compareTexts(names.name(a), names.name(b)));
    const numbers = sortedWindow(this.size, compare, bounds);
    return Array.from(numbers, (number) => this.#entry(number, typeName));
  }

  /** All entities, in the order in which they first came. */
  *entries(typeName: (type: number) => string): Generator<EntityEntry> {
    for (let number = 0; number < this.size; number++) yield this.#entry(number, typeName);
  }

  #entry(number: number, typeName: (type: number) => string): EntityEntry {
    return {
      entity: this.#names.name(number),
      eventCount: this.#counts[number] as number,
      lastType: typeName(this.#lastTypes[number] as number),
      lastTimestamp: micros(this.#lastTimestamps[number] as number),
      lastPosition: position(this.#lastPositions[number] as number),
    };
  }
}

/** Compares by UTF-16 code units, as `sort` does. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
