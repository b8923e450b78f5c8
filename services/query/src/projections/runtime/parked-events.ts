import { LIMITS } from '@allsource/shared/limits';
import type { FoldedEvent } from '../kinds/compiled-projection.ts';
import type { BuildFile, BuildSave, ParkedRow } from './build-file.ts';

/** What one event costs of the bytes, beyond its payload and metadata. */
const EVENT_OVERHEAD = 400;

type ParkedChanges = Pick<BuildSave, 'parked' | 'waiting' | 'freedEvents' | 'freedEntities'>;

/**
 * The entities of which an event could not be folded. Their later events wait behind it in the file, in order, while all others flow. Changes are held until the next save, which
 * writes them together with the position that they belong to.
 */
export class ParkedEvents {
  readonly #entities = new Set<string>();
  #parked: ParkedRow[] = [];
  #waiting: FoldedEvent[] = [];
  #freedEvents: { entity: string; position: number }[] = [];
  #freedEntities: string[] = [];
  #events: number;
  #bytes: number;

  constructor(file: BuildFile) {
    for (const { entity } of file.parkedEntities()) this.#entities.add(entity);
    this.#events = file.progress().parkedEvents;
    this.#bytes = file.waitingBytes();
  }

  get entityCount(): number {
    return this.#entities.size;
  }

  get eventCount(): number {
    return this.#events;
  }

  has(entity: string): boolean {
    return this.#entities.size > 0 && this.#entities.has(entity);
  }

  /** Why no more can be parked; null while there is room. */
  get fault(): string | null {
    const { parkedEntitiesMax, parkedEventsMax, parkedBytesMax } = LIMITS;
    if (this.#entities.size > parkedEntitiesMax)
      return `More than ${parkedEntitiesMax} entities are parked`;
    if (this.#events > parkedEventsMax)
      return `More than ${parkedEventsMax} events of parked entities wait`;
    if (this.#bytes > parkedBytesMax)
      return `Events of parked entities wait with more than ${parkedBytesMax} bytes`;
    return null;
  }

  /** Parks the entity of an event, of which this one waits first. */
  park(event: FoldedEvent, row: ParkedRow): void {
    this.#entities.add(row.entity);
    this.#parked.push(row);
    this.wait(event);
  }

  /** Lets an event of a parked entity wait behind the others. */
  wait(event: FoldedEvent): void {
    this.#waiting.push(event);
    this.#events += 1;
    this.#bytes += bytesOf(event);
  }

  /** Says that a waiting event has been folded. */
  free(event: FoldedEvent): void {
    this.#freedEvents.push({ entity: event.entityId, position: event.position });
    this.#events -= 1;
    this.#bytes -= bytesOf(event);
  }

  /** Says that nothing of an entity waits any more. */
  freeEntity(entity: string): void {
    this.#entities.delete(entity);
    this.#freedEntities.push(entity);
  }

  /** Says that another event of a parked entity, or the same one again, cannot be folded. */
  parkAgain(row: ParkedRow): void {
    this.#parked.push(row);
  }

  /** What the next save has to write. */
  changes(): ParkedChanges {
    return {
      parked: this.#parked,
      waiting: this.#waiting,
      freedEvents: this.#freedEvents,
      freedEntities: this.#freedEntities,
    };
  }

  /** Says that the changes are in the file. */
  settle(): void {
    this.#parked = [];
    this.#waiting = [];
    this.#freedEvents = [];
    this.#freedEntities = [];
  }
}

function bytesOf({ payload, metadata }: FoldedEvent): number {
  return payload.length + (metadata?.length ?? 0) + EVENT_OVERHEAD;
}
