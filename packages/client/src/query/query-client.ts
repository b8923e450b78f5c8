import { stateIn, statePath } from '../core/projection-states.ts';
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
  textOf,
} from '../http/connection.ts';
import { askHealth, type ServiceHealth } from '../http/health.ts';
import { isRecord } from '../http/is-record.ts';
import { RECONNECT } from '../http/retry.ts';
import { objectMember } from '../http/wire.ts';
import {
  type Correlation,
  type CorrelationParams,
  type EventSummary,
  type Frequency,
  type FrequencyParams,
  parseCorrelation,
  parseFrequency,
  parseSummary,
  type SummaryParams,
} from './analytics.ts';
import {
  type DetectDuplicatesParams,
  type DuplicateGroup,
  type EntitySummary,
  type ListEntitiesParams,
  type Page,
  parseDuplicates,
  parseEntities,
} from './entities.ts';
import { type EntityState, parseEntityState } from './entity-state.ts';
import { applied, type EventFolder, type FinalizingFolder } from './event-folder.ts';
import {
  type EventQuery,
  type Instant,
  instantText,
  QueryEventsParams,
  queryParameters,
} from './event-query.ts';
import {
  type NewProjection,
  parseProjection,
  parseProjections,
  projectionBody,
  type ProjectionChange,
  type ProjectionCommand,
  type ProjectionInfo,
  projectionPath,
} from './projections.ts';
import {
  type ListSnapshotsParams,
  parseSnapshot,
  parseSnapshots,
  type Snapshot,
  type SnapshotWithState,
} from './snapshots.ts';
import { followEvents, type FollowOptions } from './follow-events.ts';
import type { PositionedEvent } from '../core/consumers.ts';

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

/**
 * The way to what is stored: events, entities, states, snapshots, analytics, projections. The url is the gateway's (3902). A read sees everything that was
 * acknowledged before it began. Every failure is an `AllSourceError`; calls that fail for a passing reason are tried again.
 *
 * @example
 * ```ts
 * type Events = { 'order.placed': { total: number }; 'order.paid': { by: string } };
 *
 * await using query = new QueryClient<Events>({ url: 'http://127.0.0.1:3902', apiKey: 'your-api-key' });
 * for await (const event of query.iterateEvents({ entityId: 'order-1' }))
 *   if (event.eventType === 'order.paid') console.log('paid by', event.payload.by);
 * ```
 */
export class QueryClient<Events extends object = AnyEvents> {
  readonly #connection: Connection;
  readonly #parseEvent: EventParser<Events> | undefined;

  constructor(options: QueryClientOptions<Events>) {
    this.#connection = new Connection(options);
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
    const answer = await this.#connection.call({
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
    const answer = await this.#connection.get(path, options);
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
    const { transport } = this.#connection;
    for await (const { position, event } of followEvents({ transport, policy: RECONNECT }, options))
      yield { position, event: typed(event, this.#parseEvent) };
  }

  /**
   * One page of entities, by their last event.
   *
   * @example
   * ```ts
   * const { items, total } = await query.listEntities({ eventTypePrefix: 'order.', limit: 50 });
   * ```
   */
  async listEntities(
    params: ListEntitiesParams = {},
    options: CallOptions = {},
  ): Promise<Page<EntitySummary>> {
    const { eventTypePrefix, payload, order, limit, offset } = params;
    return parseEntities(
      await this.#connection.get('/api/v1/entities', options, {
        event_type_prefix: eventTypePrefix,
        payload_filter: payload === undefined ? undefined : JSON.stringify(payload),
        order,
        limit,
        offset,
      }),
    );
  }

  /**
   * Entities whose latest events agree in the named members of their payloads.
   *
   * @example
   * ```ts
   * const { items } = await query.detectDuplicates({ eventTypePrefix: 'user.', groupBy: ['email'] });
   * ```
   */
  async detectDuplicates(
    params: DetectDuplicatesParams,
    options: CallOptions = {},
  ): Promise<Page<DuplicateGroup>> {
    const { eventTypePrefix, groupBy, limit, offset } = params;
    return parseDuplicates(
      await this.#connection.get('/api/v1/entities/duplicates', options, {
        event_type_prefix: eventTypePrefix,
        group_by: groupBy.join(','),
        limit,
        offset,
      }),
    );
  }

  /**
   * The state of an entity: the shallow merge of its payloads, now or as of an instant. Throws `NotFoundError` when it has no events.
   *
   * @example
   * ```ts
   * const { currentState } = await query.getEntityState('order-1', { asOf: '2026-01-31T12:00:00Z' });
   * ```
   */
  async getEntityState(
    entityId: string,
    params: { readonly asOf?: Instant | undefined } = {},
    options: CallOptions = {},
  ): Promise<EntityState> {
    const answer = await this.#connection.call({
      method: 'GET',
      path: `/api/v1/entities/${encodeURIComponent(entityId)}/state`,
      query: { as_of: instantText(params.asOf) },
      ...callMembers(options),
    });
    return parseEntityState(textOf(answer));
  }

  /**
   * Takes a snapshot of an entity.
   *
   * @example
   * ```ts
   * const { id, sizeBytes } = await query.createSnapshot('order-1');
   * ```
   */
  async createSnapshot(entityId: string, options: CallOptions = {}): Promise<Snapshot> {
    const body = { entity_id: entityId };
    return parseSnapshot(
      await this.#connection.send({ method: 'POST', path: '/api/v1/snapshots', body }, options),
    );
  }

  /**
   * Snapshots, the newest first.
   *
   * @example
   * ```ts
   * const { items } = await query.listSnapshots({ entityId: 'order-1' });
   * ```
   */
  async listSnapshots(
    params: ListSnapshotsParams = {},
    options: CallOptions = {},
  ): Promise<Page<Snapshot>> {
    const { entityId, limit } = params;
    const query = { entity_id: entityId, limit };
    return parseSnapshots(await this.#connection.get('/api/v1/snapshots', options, query));
  }

  /**
   * The newest snapshot of an entity, with its state. Throws `NotFoundError` when the entity has no events.
   *
   * @example
   * ```ts
   * const { state } = await query.getLatestSnapshot('order-1');
   * ```
   */
  async getLatestSnapshot(entityId: string, options: CallOptions = {}): Promise<SnapshotWithState> {
    const path = `/api/v1/snapshots/${encodeURIComponent(entityId)}/latest`;
    const answer = await this.#connection.get(path, options);
    return { ...parseSnapshot(answer), state: answer['state'] };
  }

  /**
   * Counts events by windows of time.
   *
   * @example
   * ```ts
   * const { buckets } = await query.getFrequency({ since: '2026-01-01T00:00:00Z', window: 'day' });
   * ```
   */
  async getFrequency(params: FrequencyParams, options: CallOptions = {}): Promise<Frequency> {
    const { since, window, until, entityId, eventType } = params;
    return parseFrequency(
      await this.#connection.get('/api/v1/analytics/frequency', options, {
        since: instantText(since),
        window,
        until: instantText(until),
        entity_id: entityId,
        event_type: eventType,
      }),
    );
  }

  /**
   * What there is, in figures.
   *
   * @example
   * ```ts
   * const { totalEvents, topEventTypes } = await query.getSummary();
   * ```
   */
  async getSummary(params: SummaryParams = {}, options: CallOptions = {}): Promise<EventSummary> {
    const { entityId, eventType, since, until } = params;
    return parseSummary(
      await this.#connection.get('/api/v1/analytics/summary', options, {
        entity_id: entityId,
        event_type: eventType,
        since: instantText(since),
        until: instantText(until),
      }),
    );
  }

  /**
   * How often two event types occur at one entity within a time.
   *
   * @example
   * ```ts
   * const { correlationPercentage } = await query.getCorrelation({
   *   eventTypeA: 'order.placed',
   *   eventTypeB: 'order.paid',
   *   timeWindowSeconds: 3600,
   * });
   * ```
   */
  async getCorrelation(params: CorrelationParams, options: CallOptions = {}): Promise<Correlation> {
    return parseCorrelation(
      await this.#connection.get('/api/v1/analytics/correlation', options, {
        event_type_a: params.eventTypeA,
        event_type_b: params.eventTypeB,
        time_window_seconds: params.timeWindowSeconds,
        since: instantText(params.since),
        until: instantText(params.until),
      }),
    );
  }

  /**
   * The projections that the store keeps.
   *
   * @example
   * ```ts
   * const names = (await query.listProjections()).map(({ name }) => name);
   * ```
   */
  async listProjections(options: CallOptions = {}): Promise<readonly ProjectionInfo[]> {
    return parseProjections(await this.#connection.get('/api/v1/projections', options));
  }

  /**
   * One projection that the store keeps. Throws `NotFoundError` when there is none of this name.
   *
   * @example
   * ```ts
   * const { status } = await query.getProjection('entity_snapshots');
   * ```
   */
  async getProjection(name: string, options: CallOptions = {}): Promise<ProjectionInfo> {
    return parseProjection(await this.#connection.get(projectionPath(name), options));
  }

  /**
   * Creates a projection that the store keeps: the state of each entity, counts, time series, a funnel, or what a function of yours makes of the
   * events. Asked once: after a failure without an answer, look whether it is there. Throws `InvalidRequestError` with the place of what is wrong.
   *
   * @example
   * ```ts
   * await query.createProjection({
   *   name: 'orders-by-type',
   *   type: 'event_counter',
   *   eventTypes: ['order.*'],
   *   start: true,
   * });
   * ```
   */
  async createProjection(
    projection: NewProjection,
    options: CallOptions = {},
  ): Promise<ProjectionInfo> {
    const body = projectionBody(projection);
    const request = { method: 'POST', path: '/api/v1/projections', body } as const;
    return parseProjection(objectMember(await this.#connection.once(request, options), 'data'));
  }

  /**
   * Changes a projection, also a running one. Another definition is built beside the one that is read, which it replaces when it has caught up.
   *
   * @example
   * ```ts
   * await query.updateProjection('orders-by-type', { eventTypes: ['order.placed'] });
   * ```
   */
  async updateProjection(
    name: string,
    change: ProjectionChange,
    options: CallOptions = {},
  ): Promise<ProjectionInfo> {
    const request = {
      method: 'PUT',
      path: projectionPath(name),
      body: projectionBody(change),
    } as const;
    return parseProjection(objectMember(await this.#connection.once(request, options), 'data'));
  }

  /**
   * Starts, pauses, stops, rebuilds a projection, or reads its build before again. Asked once.
   *
   * @example
   * ```ts
   * await query.commandProjection('orders-by-type', 'pause');
   * ```
   */
  async commandProjection(
    name: string,
    command: ProjectionCommand,
    options: CallOptions = {},
  ): Promise<void> {
    const path = `${projectionPath(name)}/${command}`;
    await this.#connection.once({ method: 'POST', path }, options);
  }

  /**
   * Deletes a projection with its states. Asked once.
   *
   * @example
   * ```ts
   * await query.deleteProjection('orders-by-type');
   * ```
   */
  async deleteProjection(name: string, options: CallOptions = {}): Promise<void> {
    await this.#connection.once({ method: 'DELETE', path: projectionPath(name) }, options);
  }

  /**
   * The state of an entity in a projection, whether the store keeps it or a worker saves it; `undefined` when there is none.
   *
   * @example
   * ```ts
   * const state = await query.getProjectionState('entity_snapshots', 'order-1');
   * ```
   */
  async getProjectionState(
    projection: string,
    entityId: string,
    options: CallOptions = {},
  ): Promise<unknown> {
    return stateIn(await this.#connection.get(statePath(projection, entityId), options));
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
    return askHealth(this.#connection.transport, options);
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
    this.#connection.close();
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
