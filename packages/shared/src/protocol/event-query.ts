/**
 * What `GET /api/v1/events/query` asks for, the same on core and on the gateway: reading its parameters, deciding whether an event is
 * meant, the order of the answer and the window of it. All conditions must hold. There are two clocks, and all bounds are inclusive: `since`,
 * `until` and `as_of` speak of the event's `timestamp` (when it happened), `as_of_recorded` of its `recorded_at` (when the store took it).
 */
import { problem } from '../errors/problem.ts';
import { LIMITS } from '../limits/limits.ts';
import { quoted } from '../model/names.ts';
import { type Micros, micros } from '../model/timestamp.ts';
import type { Parameters } from './parameters.ts';
import { PayloadFilter } from './payload-filter.ts';

export type QueryOrder = 'asc' | 'desc';

/** A query over events, parsed. Null means that the condition is not set. */
export interface EventQuery {
  readonly entity: string | null;
  readonly type: string | null;
  readonly typePrefix: string | null;
  readonly excludedTypePrefixes: readonly string[];
  readonly since: Micros | null;
  /** The earlier of `until` and `as_of`. */
  readonly until: Micros | null;
  /** Only what the store had taken at this instant: `as_of_recorded`. */
  readonly recordedUntil: Micros | null;
  readonly payloadFilter: PayloadFilter | null;
  /** Events of one answer; null = all of them. */
  readonly limit: number | null;
  /** Events passed over after sorting. */
  readonly offset: number;
  readonly order: QueryOrder;
}

/** Reads the parameters of a query. `limitDefault` is the page size when the caller names none; null = no limit. */
export function parseEventQuery(
  parameters: Parameters,
  limitDefault: number | null = null,
): EventQuery {
  const payloadFilter = parameters.name('payload_filter');
  // An empty one is refused wherever events are asked for: taken for none it would begin again at the first page.
  parameters.name('cursor');
  return {
    entity: parameters.name('entity_id'),
    type: parameters.name('event_type'),
    typePrefix: parameters.name('event_type_prefix'),
    excludedTypePrefixes: excludedPrefixes(parameters.name('exclude_event_type_prefix')),
    since: parameters.timestamp('since'),
    until: earlier(parameters.timestamp('until'), parameters.timestamp('as_of')),
    recordedUntil: parameters.timestamp('as_of_recorded'),
    payloadFilter: payloadFilter === null ? null : new PayloadFilter(payloadFilter),
    limit: parameters.integer('limit', { min: 0, max: LIMITS.pageEventsMax }) ?? limitDefault,
    offset: parameters.integer('offset', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0,
    order: parameters.choice('order', ['asc', 'desc'], orderFault) ?? 'asc',
  };
}

/** What refuses an order; existing clients know this sentence. */
export function orderFault(value: string): string {
  return `invalid 'order' value ${quoted(value)}: expected 'asc' or 'desc'`;
}

function excludedPrefixes(text: string | null): string[] {
  if (text === null) return [];
  const prefixes = text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
  if (prefixes.length > 0 && prefixes.length <= LIMITS.filtersMax) return prefixes;
  throw problem(
    'invalid_parameter',
    `'exclude_event_type_prefix' names ${prefixes.length} prefixes; allowed are one or more and at most ${LIMITS.filtersMax}, joined by commas.`,
    { parameter: 'exclude_event_type_prefix', max: LIMITS.filtersMax },
  );
}

function earlier(a: Micros | null, b: Micros | null): Micros | null {
  if (a === null || b === null) return a ?? b;
  return micros(Math.min(a, b));
}

/** What a query looks at in an event, apart from its payload. */
export interface QueriedEvent {
  readonly entity: string;
  readonly type: string;
  readonly timestamp: Micros;
  readonly recordedAt: Micros;
}

/** True when the event is meant. The payload is asked for only when everything else fits. */
export function matchesEventQuery(
  query: EventQuery,
  event: QueriedEvent,
  payload: () => Uint8Array,
): boolean {
  const { type, timestamp } = event;
  if (query.entity !== null && event.entity !== query.entity) return false;
  if (query.type !== null && type !== query.type) return false;
  if (query.typePrefix !== null && !type.startsWith(query.typePrefix)) return false;
  if (query.excludedTypePrefixes.some((prefix) => type.startsWith(prefix))) return false;
  if (query.since !== null && timestamp < query.since) return false;
  if (query.until !== null && timestamp > query.until) return false;
  if (query.recordedUntil !== null && event.recordedAt > query.recordedUntil) return false;
  return query.payloadFilter?.matches(payload()) ?? true;
}

/** The place of an event in the order of answers. */
export interface OrderedEvent {
  readonly timestamp: number;
  readonly version: number;
  readonly position: number;
}

/** Compares by timestamp, then version, then position: a total order. `desc` is its exact reverse. */
export function compareEvents(order: QueryOrder): (a: OrderedEvent, b: OrderedEvent) => number {
  const sign = order === 'asc' ? 1 : -1;
  return (a, b) =>
    sign * (a.timestamp - b.timestamp || a.version - b.version || a.position - b.position);
}

/** One page of a sorted answer, and what the answer says about it. */
export interface EventWindow<T> {
  readonly page: T[];
  readonly totalCount: number;
  readonly hasMore: boolean;
}

/** Cuts the page that the query asks for out of all events meant, sorted. */
export function windowOf<T>(
  sorted: readonly T[],
  query: Pick<EventQuery, 'limit' | 'offset'>,
): EventWindow<T> {
  const end = query.limit === null ? sorted.length : query.offset + query.limit;
  const page = sorted.slice(query.offset, end);
  return {
    page,
    totalCount: sorted.length,
    hasMore: query.offset + page.length < sorted.length,
  };
}
