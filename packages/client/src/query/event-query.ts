import type { AnyEvents, EventTypeOf } from '../events/event-map.ts';
import { type Instant, instantText } from '../events/instant.ts';
import { jsonText } from '../http/json-text.ts';
import type { TransportRequest } from '../http/transport.ts';

/** Which events are meant; conditions that are not given do not apply, and all given ones must hold. */
export interface EventQuery<Type extends string = string> {
  readonly entityId?: string | undefined;
  readonly eventType?: Type | undefined;
  /** Types that begin so, such as `order.`. */
  readonly eventTypePrefix?: string | undefined;
  /** Types that begin so are left out; at most 100. */
  readonly excludeEventTypePrefixes?: readonly string[] | undefined;
  /** Bounds of when it happened, inclusive. */
  readonly since?: Instant | undefined;
  readonly until?: Instant | undefined;
  readonly asOf?: Instant | undefined;
  /** Only what the store had recorded at that instant. */
  readonly asOfRecorded?: Instant | undefined;
  /** Members that the payload must have at its top level, with exactly these values. */
  readonly payload?: Readonly<Record<string, unknown>> | undefined;
  /** By the time it happened; `asc` without it. */
  readonly order?: 'asc' | 'desc' | undefined;
  /** Events of one page; 100 without it, at most 1,000,000. For an iteration: events in all, every one without it. */
  readonly limit?: number | undefined;
  /** Events passed over; a cursor is better for paging. */
  readonly offset?: number | undefined;
  /** Goes on behind a page: its `nextCursor`. */
  readonly cursor?: string | undefined;
  /** The position that the answer must have seen; without it everything acknowledged before the call. */
  readonly minPosition?: number | undefined;
  /** `eventual`: what is there at once, which may be a little old. */
  readonly consistency?: 'eventual' | undefined;
}

/**
 * Builds an {@link EventQuery} step by step. Each step gives a new one, so a query can be shared and refined.
 *
 * @example
 * ```ts
 * const ofOrder = new QueryEventsParams().entityId('order-1');
 * const page = await query.queryEvents(ofOrder.limit(10));
 * const payments = await query.queryEvents(ofOrder.eventType('order.paid'));
 * ```
 */
export class QueryEventsParams<
  Events extends object = AnyEvents,
  Type extends EventTypeOf<Events> = EventTypeOf<Events>,
> {
  /** The query as a plain object. */
  readonly query: EventQuery<Type>;

  constructor(query: EventQuery<Type> = {}) {
    this.query = query;
  }

  /**
   * Events of this entity.
   *
   * @example
   * ```ts
   * new QueryEventsParams().entityId('order-1');
   * ```
   */
  entityId(entityId: string): QueryEventsParams<Events, Type> {
    return this.#with({ entityId });
  }

  /**
   * Events of this type; their payloads have its type.
   *
   * @example
   * ```ts
   * new QueryEventsParams<Events>().eventType('order.paid');
   * ```
   */
  eventType<T extends EventTypeOf<Events>>(eventType: T): QueryEventsParams<Events, T> {
    return new QueryEventsParams<Events, T>({ ...this.query, eventType });
  }

  /**
   * Events whose types begin so.
   *
   * @example
   * ```ts
   * new QueryEventsParams().eventTypePrefix('order.');
   * ```
   */
  eventTypePrefix(eventTypePrefix: string): QueryEventsParams<Events, Type> {
    return this.#with({ eventTypePrefix });
  }

  /**
   * Leaves out events whose types begin so; at most 100 prefixes.
   *
   * @example
   * ```ts
   * new QueryEventsParams().excludeEventTypePrefixes('order.draft_', 'audit.');
   * ```
   */
  excludeEventTypePrefixes(...prefixes: readonly string[]): QueryEventsParams<Events, Type> {
    return this.#with({ excludeEventTypePrefixes: prefixes });
  }

  /**
   * Only what had happened at an instant.
   *
   * @example
   * ```ts
   * new QueryEventsParams().entityId('order-1').asOf('2026-01-31T12:00:00Z');
   * ```
   */
  asOf(asOf: Instant): QueryEventsParams<Events, Type> {
    return this.#with({ asOf });
  }

  /**
   * Only what the store had recorded at an instant.
   *
   * @example
   * ```ts
   * new QueryEventsParams().entityId('order-1').asOfRecorded(new Date());
   * ```
   */
  asOfRecorded(asOfRecorded: Instant): QueryEventsParams<Events, Type> {
    return this.#with({ asOfRecorded });
  }

  /**
   * Events that happened at or after an instant.
   *
   * @example
   * ```ts
   * new QueryEventsParams().since('2026-01-01T00:00:00Z');
   * ```
   */
  since(since: Instant): QueryEventsParams<Events, Type> {
    return this.#with({ since });
  }

  /**
   * Events that happened at or before an instant.
   *
   * @example
   * ```ts
   * new QueryEventsParams().until(new Date());
   * ```
   */
  until(until: Instant): QueryEventsParams<Events, Type> {
    return this.#with({ until });
  }

  /**
   * Events whose payloads have these members with these values.
   *
   * @example
   * ```ts
   * new QueryEventsParams().payload({ by: 'card' });
   * ```
   */
  payload(payload: Readonly<Record<string, unknown>>): QueryEventsParams<Events, Type> {
    return this.#with({ payload });
  }

  /**
   * Oldest first, or newest first.
   *
   * @example
   * ```ts
   * new QueryEventsParams().order('desc').limit(1);
   * ```
   */
  order(order: 'asc' | 'desc'): QueryEventsParams<Events, Type> {
    return this.#with({ order });
  }

  /**
   * At most so many events.
   *
   * @example
   * ```ts
   * new QueryEventsParams().limit(10);
   * ```
   */
  limit(limit: number): QueryEventsParams<Events, Type> {
    return this.#with({ limit });
  }

  /**
   * Passes over so many events.
   *
   * @example
   * ```ts
   * new QueryEventsParams().limit(10).offset(20);
   * ```
   */
  offset(offset: number): QueryEventsParams<Events, Type> {
    return this.#with({ offset });
  }

  /**
   * Goes on behind a page.
   *
   * @example
   * ```ts
   * const page = await query.queryEvents(new QueryEventsParams().limit(10));
   * if (page.nextCursor !== null)
   *   await query.queryEvents(new QueryEventsParams().limit(10).cursor(page.nextCursor));
   * ```
   */
  cursor(cursor: string): QueryEventsParams<Events, Type> {
    return this.#with({ cursor });
  }

  /**
   * The answer has seen everything up to a position, in place of everything acknowledged before the call.
   *
   * @example
   * ```ts
   * new QueryEventsParams().minPosition(1042);
   * ```
   */
  minPosition(minPosition: number): QueryEventsParams<Events, Type> {
    return this.#with({ minPosition });
  }

  /**
   * Takes what is there at once, which may be a little old.
   *
   * @example
   * ```ts
   * new QueryEventsParams().eventType('order.placed').eventual();
   * ```
   */
  eventual(): QueryEventsParams<Events, Type> {
    return this.#with({ consistency: 'eventual' });
  }

  #with(more: EventQuery<Type>): QueryEventsParams<Events, Type> {
    return new QueryEventsParams<Events, Type>({ ...this.query, ...more });
  }
}

/** The parameters of the URL. */
export function queryParameters(query: EventQuery): NonNullable<TransportRequest['query']> {
  return {
    entity_id: query.entityId,
    event_type: query.eventType,
    event_type_prefix: query.eventTypePrefix,
    exclude_event_type_prefix: query.excludeEventTypePrefixes?.join(','),
    since: instantText(query.since),
    until: instantText(query.until),
    as_of: instantText(query.asOf),
    as_of_recorded: instantText(query.asOfRecorded),
    payload_filter: query.payload === undefined ? undefined : jsonText(query.payload),
    order: query.order,
    limit: query.limit,
    offset: query.offset,
    cursor: query.cursor,
    min_position: query.minPosition,
    consistency: query.consistency,
  };
}
