/**
 * The history of one entity, out of the log alone: each event names the position of the entity's event before it, and the entity directory names
 * the newest. A query walks this chain once from the newest to the oldest and keeps of each event that is meant its time, version and position; it
 * sorts those, cuts the page and reads the events of the page again, mostly from the frames still in memory. So an answer is made event by event, and costs the keys of
 * the entity's events and not their texts.
 *
 * Appends have the same event loop, so all but a short history is walked in turns, few at a time; an entity with very many events is the query service's, which has an index.
 *
 * The directory speaks of the watermark at the moment of the call, and the chain below it never changes: an answer is a consistent
 * picture of the entity at `version`.
 */
import { type Pace, ScanTurns, sortInTurns, Turns } from '@allsource/service-kit/turns';
import { assert } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
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
import type { EntityDirectory, EntityHead } from '../append/append-port.ts';
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
  /** True when the client has gone. */
  readonly isAbandoned: () => boolean;
}

/** The page that a query asked for. `events` reads them one by one, in order. */
export interface EntityPage extends EventWindow<OrderedEvent> {
  /** The entity's version that the answer is true at; 0 when it has no events. */
  readonly version: Version;
  readonly events: () => AsyncGenerator<FrameEvent>;
}

/** A history that is walked in one turn: tenths of a millisecond. */
const SHORT_HISTORY_EVENTS = 100;
/** Events walked between two looks at the clock. */
const EVENTS_A_LOOK = 8;
const ONE_TURN: Pace = { isTurnOver: false, nextTurn: () => Promise.resolve() };

export class EntityReader {
  readonly #frames: FrameReader;
  readonly #entities: EntityDirectory;
  readonly #walks = new ScanTurns();

  constructor(options: EntityReaderOptions) {
    this.#frames = options.frames;
    this.#entities = options.entities;
  }

  /** True for an entity with more events than are walked here. */
  isLarge(tenant: string, entity: string): boolean {
    const { version } = this.#entities.entityHead(tenant, entity) ?? { version: VERSION_ZERO };
    return version > LIMITS.walkedEventsMax;
  }

  /**
   * Answers a query over one entity. Throws the log's own problem when a part of it cannot be read, `overloaded` when too many histories are being walked, and `ReaderGone`.
   */
  async page(asked: EntityQuery): Promise<EntityPage> {
    const head = this.#entities.entityHead(asked.tenant, asked.entity);
    if (head === null || head.version <= SHORT_HISTORY_EVENTS)
      return await this.#page(asked, head, ONE_TURN);
    return await this.#walks.run(asked.isAbandoned, (pace) => this.#page(asked, head, pace));
  }

  // oxlint-disable-next-line eslint/max-params -- what is asked, of which state of the entity, at what pace.
  async #page(asked: EntityQuery, head: EntityHead | null, pace: Pace): Promise<EntityPage> {
    const newest = head === null ? POSITION_ZERO : position(head.lastPosition);
    const meant: OrderedEvent[] = [];
    let walked = 0;
    for await (const event of this.#chain(asked, newest)) {
      const { entity, type, timestamp, version, position: at } = event;
      const queried = { entity, type, timestamp, recordedAt: event.frame.recordedAt };
      if (matchesEventQuery(asked.query, queried, () => event.payload))
        meant.push({ timestamp, version, position: at });
      walked += 1;
      if (walked % EVENTS_A_LOOK === 0 && pace.isTurnOver) await pace.nextTurn();
    }
    const sorted = await sortInTurns(meant, compareEvents(asked.query.order), pace);
    const window = windowOf(sorted, asked.query);
    return {
      ...window,
      version: head?.version ?? VERSION_ZERO,
      events: () => this.#read(window.page),
    };
  }

  /** The entity's events from the one at `newest` to its first. */
  async *#chain(asked: EntityQuery, newest: Position): AsyncGenerator<FrameEvent> {
    let next = newest;
    while (next !== POSITION_ZERO) {
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
    const turns = new Turns();
    for (const { position: at } of page) {
      await turns.next();
      yield await this.#frames.eventAt(position(at));
    }
  }
}
