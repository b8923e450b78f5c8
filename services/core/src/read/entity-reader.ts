/**
 * The history of one entity, out of the log alone: each event names the position of the entity's event before it, and the entity directory names
 * the newest. A query walks this chain once from the newest to the oldest and keeps of each event that is meant its time, version and position; it
 * sorts those, cuts the page and reads the events of the page again, mostly from the frames still in memory. So an answer of any size is
 * made event by event, and an entity with a million events costs its keys and not its texts.
 *
 * The directory speaks of the watermark at the moment of the call, and the chain below it never changes: an answer is a consistent
 * picture of the entity at `version`.
 */
import { assert } from '@allsource/shared/lang';
import {
  POSITION_ZERO,
  type Position,
  position,
  VERSION_ZERO,
  type Version,
} from '@allsource/shared/model';
import {
  compareEvents,
  type EventQuery,
  type EventWindow,
  type FrameEvent,
  matchesEventQuery,
  type OrderedEvent,
  windowOf,
} from '@allsource/shared/protocol';
import type { EntityDirectory } from '../append/append-port.ts';
import type { FrameReader } from './frame-reader.ts';

export interface EntityReaderOptions {
  readonly frames: FrameReader;
  readonly entities: EntityDirectory;
}

/** Which entity, and which of its events. */
export interface EntityQuery {
  readonly tenant: string;
  readonly entity: string;
  readonly query: EventQuery;
  /** Ends the walk early, such as when the client has gone. */
  readonly isAbandoned?: () => boolean;
}

/** The page that a query asked for. `events` reads them one by one, in order. */
export interface EntityPage extends EventWindow<OrderedEvent> {
  /** The entity's version that the answer is true at; 0 when it has no events. */
  readonly version: Version;
  readonly events: () => AsyncGenerator<FrameEvent>;
}

export class EntityReader {
  readonly #frames: FrameReader;
  readonly #entities: EntityDirectory;

  constructor(options: EntityReaderOptions) {
    this.#frames = options.frames;
    this.#entities = options.entities;
  }

  /** Answers a query over one entity. Throws the log's own problem when a part of it cannot be read. */
  async page(asked: EntityQuery): Promise<EntityPage> {
    const head = this.#entities.entityHead(asked.tenant, asked.entity);
    const newest = head === null ? POSITION_ZERO : position(head.lastPosition);
    const meant: OrderedEvent[] = [];
    for await (const event of this.#chain(asked, newest)) {
      const { entity, type, timestamp, version, position: at } = event;
      const queried = { entity, type, timestamp, recordedAt: event.frame.recordedAt };
      if (matchesEventQuery(asked.query, queried, () => event.payload))
        meant.push({ timestamp, version, position: at });
    }
    const window = windowOf(meant.sort(compareEvents(asked.query.order)), asked.query);
    return {
      ...window,
      version: head?.version ?? VERSION_ZERO,
      events: () => this.#read(window.page),
    };
  }

  /** The entity's events from the one at `newest` to its first. */
  async *#chain(asked: EntityQuery, newest: Position): AsyncGenerator<FrameEvent> {
    let next = newest;
    while (next !== POSITION_ZERO && asked.isAbandoned?.() !== true) {
      const event = await this.#frames.eventAt(next);
      assert(
        event.entity === asked.entity && event.frame.tenant === asked.tenant,
        'a chain stays with its entity',
      );
      yield event;
      next = event.previousPosition;
    }
  }

  async *#read(page: readonly OrderedEvent[]): AsyncGenerator<FrameEvent> {
    for (const { position: at } of page) yield await this.#frames.eventAt(position(at));
  }
}
