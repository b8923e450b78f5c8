import type { PositionedEvent } from '../core/consumers.ts';
import {
  type AnyEvents,
  type EventOf,
  type EventParser,
  type EventTypeOf,
  typed,
} from '../events/event-map.ts';
import { type EventPage, parseEventPage, parseStoredEvent } from '../events/stored-event.ts';
import {
  callMembers,
  type CallOptions,
  type ClientOptions,
  Connection,
} from '../http/connection.ts';
import { askHealth, type ServiceHealth } from '../http/health.ts';
import { isRecord } from '../http/is-record.ts';
import { RECONNECT } from '../http/retry.ts';
import { objectMember } from '../http/wire.ts';
import { applied, type EventFolder, type FinalizingFolder } from './event-folder.ts';
import { type EventQuery, QueryEventsParams, queryParameters } from './event-query.ts';
import { followEvents, type FollowOptions } from './follow-events.ts';

const PAGE_EVENTS_DEFAULT = 100;
const ITERATED_PAGE_EVENTS = 1_000;

export interface QueryClientOptions<Events extends object = AnyEvents> extends ClientOptions {
  /** Checks the events that come; see {@link EventParser}. */
  readonly parseEvent?: EventParser<Events> | undefined;
}

type Wanted<Events extends object, Type extends EventTypeOf<Events>> =
  | EventQuery<Type>
  | QueryEventsParams<Events, Type>
  // One that knows nothing of the events will do too.
  | QueryEventsParams;

/** What a `QueryClient` reads of the events themselves, and the connection that its other questions go over. */
export class EventQueries<Events extends object = AnyEvents> {
  protected readonly connection: Connection;
  readonly #parseEvent: EventParser<Events> | undefined;

  constructor(options: QueryClientOptions<Events>) {
    this.connection = new Connection(options);
    this.#parseEvent = options.parseEvent;
  }

  /**
   * One page of events, 100 if no limit is given. `nextCursor` leads to the next page.
   *
   * @example
   * ```ts
   * const page = await query.queryEvents({ entityId: 'user-123', limit: 10 });
   * console.log(`Found ${page.count} of ${page.totalCount} events`);
   * ```
   */
  async queryEvents<Type extends EventTypeOf<Events> = EventTypeOf<Events>>(
    params: Wanted<Events, Type> = {},
    options: CallOptions = {},
  ): Promise<EventPage<EventOf<Events, Type>>> {
    const wanted = plainQuery(params);
    const answer = await this.connection.call({
      method: 'GET',
      path: '/api/v1/events/query',
      query: { ...queryParameters(wanted), limit: wanted.limit ?? PAGE_EVENTS_DEFAULT },
      ...callMembers(options),
    });
    const page = parseEventPage(answer.bytes);
    const events = page.events.map((event) => typed(event, this.#parseEvent));
    return { ...page, events: events as EventOf<Events, Type>[] };
  }

  /**
   * All events that are meant, page after page as they are needed. What is appended meanwhile shifts nothing.
   *
   * @example
   * ```ts
   * for await (const event of query.iterateEvents({ eventTypePrefix: 'order.' }))
   *   console.log(event.entityId, event.version);
   * ```
   */
  async *iterateEvents<Type extends EventTypeOf<Events> = EventTypeOf<Events>>(
    params: Wanted<Events, Type> = {},
    options: CallOptions = {},
  ): AsyncGenerator<EventOf<Events, Type>, void, undefined> {
    const { limit = Number.POSITIVE_INFINITY, offset = 0, ...rest } = plainQuery(params);
    let seen = 0;
    for (let next: EventQuery<Type> = { ...rest, offset }; seen < limit; ) {
      const pageLimit = Math.min(ITERATED_PAGE_EVENTS, limit - seen);
      const page = await this.queryEvents<Type>({ ...next, limit: pageLimit }, options);
      yield* page.events;
      seen += page.events.length;
      if (!page.hasMore || page.events.length === 0) return;
      // Core's own answers about one entity have no cursor, and the order of an entity's events is that of their offsets.
      next =
        page.nextCursor === null
          ? { ...rest, offset: offset + seen }
          : { ...rest, cursor: page.nextCursor };
    }
  }

  /**
   * All events of an entity, in order.
   *
   * @example
   * ```ts
   * const history = await query.getEntityEvents('order-1');
   * ```
   */
  async getEntityEvents(
    entityId: string,
    options: CallOptions = {},
  ): Promise<readonly EventOf<Events>[]> {
    return await collected(this.iterateEvents({ entityId }, options));
  }

  /**
   * All events of a type, in order of when they happened. For types with very many, iterate.
   *
   * @example
   * ```ts
   * const payments = await query.getEventsByType('order.paid');
   * ```
   */
  async getEventsByType<Type extends EventTypeOf<Events>>(
    eventType: Type,
    options: CallOptions = {},
  ): Promise<readonly EventOf<Events, Type>[]> {
    return await collected(this.iterateEvents<Type>({ eventType }, options));
  }

  /**
   * One event by its id. Throws `NotFoundError` when there is none.
   *
   * @example
   * ```ts
   * const event = await query.getEvent('0198c5a6-0a2b-7c1d-8e00-000000000001');
   * ```
   */
  async getEvent(eventId: string, options: CallOptions = {}): Promise<EventOf<Events>> {
    const path = `/api/v1/events/${encodeURIComponent(eventId)}`;
    const answer = await this.connection.get(path, options);
    // Core answers `event`, the gateway `data`.
    const event = isRecord(answer['event']) ? answer['event'] : objectMember(answer, 'data');
    return typed(parseStoredEvent(JSON.stringify(event)), this.#parseEvent);
  }

  /**
   * Folds all events that are meant into one state, without holding more than a page of them.
   *
   * @example
   * ```ts
   * const revenue = await query.queryAndFold(
   *   { eventTypePrefix: 'order.' },
   *   {
   *     initial: () => 0,
   *     apply: (sum, event) => (event.eventType === 'order.placed' ? sum + event.payload.total : sum),
   *   },
   * );
   * ```
   */
  queryAndFold<State, Result, Type extends EventTypeOf<Events> = EventTypeOf<Events>>(
    params: Wanted<Events, Type>,
    folder: FinalizingFolder<EventOf<Events, Type>, State, Result>,
    options?: CallOptions,
  ): Promise<Result>;
  queryAndFold<State, Type extends EventTypeOf<Events> = EventTypeOf<Events>>(
    params: Wanted<Events, Type>,
    folder: EventFolder<EventOf<Events, Type>, State>,
    options?: CallOptions,
  ): Promise<State>;
  async queryAndFold<State, Result, Type extends EventTypeOf<Events>>(
    params: Wanted<Events, Type>,
    folder: EventFolder<EventOf<Events, Type>, State, Result>,
    options: CallOptions = {},
  ): Promise<State | Result> {
    let state = folder.initial();
    for await (const event of this.iterateEvents<Type>(params, options))
      state = applied(folder.apply, state, event);
    return folder.finalize === undefined ? state : folder.finalize(state);
  }

  /**
   * Follows the store from a position on: first what is there, then what comes, each event once and in the order of the log, across
   * disconnects. Without a position only what comes. Leave the loop or abort the signal to end it.
   *
   * @example
   * ```ts
   * for await (const { position, event } of query.followEvents({ afterPosition: 0, eventTypes: ['order.*'] }))
   *   console.log(position, event.eventType);
   * ```
   */
  async *followEvents(
    options: FollowOptions = {},
  ): AsyncGenerator<PositionedEvent<EventOf<Events>>, void, undefined> {
    const { transport } = this.connection;
    for await (const { position, event } of followEvents({ transport, policy: RECONNECT }, options))
      yield { position, event: typed(event, this.#parseEvent) };
  }

  /**
   * What the service says of itself, asked once: one that says that it is not well is an answer, not a failure.
   *
   * @example
   * ```ts
   * const { status } = await query.health(); // 'healthy'
   * ```
   */
  health(options: CallOptions = {}): Promise<ServiceHealth> {
    return askHealth(this.connection.transport, options);
  }

  /**
   * Gives up the calls under way, which then throw a `ClosedError`, and refuses further ones. `await using` does it at the end of a block.
   *
   * @example
   * ```ts
   * query.close();
   * ```
   */
  close(): void {
    this.connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}

function plainQuery<Events extends object, Type extends EventTypeOf<Events>>(
  params: Wanted<Events, Type>,
): EventQuery<Type> {
  return params instanceof QueryEventsParams ? (params.query as EventQuery<Type>) : params;
}

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
