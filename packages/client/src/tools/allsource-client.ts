import {
  type InspectionRecord,
  parseInspectionRecord,
  VERIFY_PATH,
} from '@allsource/shared/protocol';
import {
  type AppendOptions,
  type AppendResult,
  batchBody,
  eventBody,
  type NewEvent,
  parseBatchAnswer,
  parseSingleAnswer,
  type RawEvent,
} from '../events/append.ts';
import { type ClusterStatus, parseClusterStatus } from './cluster.ts';
import { textOf, type CallOptions } from '../http/connection.ts';
import { askHealth, type ServiceHealth } from '../http/health.ts';
import { randomId } from '../http/random-id.ts';
import { statePath } from '../core/projection-states.ts';
import { type EntityState, parseEntityState } from '../query/entity-state.ts';
import {
  exportEvents,
  type ExportFilter,
  type ExportOptions,
  type ExportPart,
} from './event-export.ts';
import { linesOf } from './lines.ts';
import { type RetryNotice, type RetryPolicy, withRetries } from '../http/retry.ts';
import { type EventFilter, parseEventPage, type StoredEvent } from '../events/stored-event.ts';
import type { PositionedEvent } from '../core/consumers.ts';
import { followEvents, type FollowOptions } from '../query/follow-events.ts';
import { Transport, type TransportAnswer, type TransportRequest } from '../http/transport.ts';
import { parseObject } from '../http/wire.ts';

const TIMEOUT_MS_DEFAULT = 30_000;
/** Tools bridge outages by time: a restart of the store is no reason to stop an import. */
const RETRY_DEFAULT: RetryPolicy = {
  retriesMax: Number.POSITIVE_INFINITY,
  forMs: 15_000,
  delayMsMin: 100,
  delayMsMax: 5_000,
};
const PAGE_SIZE_DEFAULT = 1000;

export interface AllSourceClientOptions {
  /** The address of the query service, such as http://127.0.0.1:3902. */
  readonly url: string;
  readonly apiKey?: string | null | undefined;
  /** How long one try of a call may take. */
  readonly timeoutMs?: number | undefined;
  readonly retry?: Partial<RetryPolicy> | undefined;
  /** Told before each wait for a call that failed and is tried again. */
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
}

/** A request of any route. */
export interface RouteRequest {
  readonly method: TransportRequest['method'];
  /** Below the address, with its parts percent-encoded. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as JSON. */
  readonly body?: unknown;
}

/** Which state of a projection is meant. */
export interface ProjectionStateKey {
  readonly projection: string;
  readonly entityId: string;
}

/**
 * The store as tools use it, through one address: appends and reads of raw text, exports, the live tail, verification. Applications use CoreClient and
 * QueryClient. Calls that fail for a passing reason are tried again by themselves; appends carry an idempotency key, so that a
 * repeated one is stored once. Every failure is an {@link AllSourceError}.
 *
 *     const client = new AllSourceClient({ url: 'http://127.0.0.1:3902', apiKey });
 *     await client.append({ eventType: 'order.placed', entityId: 'order-1', payload: { total: 42 } });
 *     for await (const event of client.queryEvents({ entityId: 'order-1' })) console.log(event.payload);
 */
export class AllSourceClient {
  readonly #transport: Transport;
  readonly #policy: RetryPolicy;
  readonly #onRetry: ((notice: RetryNotice) => void) | undefined;

  constructor(options: AllSourceClientOptions) {
    this.#transport = new Transport({
      url: options.url,
      apiKey: options.apiKey ?? null,
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS_DEFAULT,
    });
    this.#policy = { ...RETRY_DEFAULT, ...options.retry };
    this.#onRetry = options.onRetry;
  }

  /** Appends one event. Throws `version_conflict` when the entity is not at the expected version. */
  async append(event: NewEvent | RawEvent, options: AppendOptions = {}): Promise<AppendResult> {
    const answer = await this.#post('/api/v1/events', eventBody(event), options);
    return parseSingleAnswer(textOf(answer), answer.headers);
  }

  /** Appends events together: all of them or none. Events of one entity keep the order given. */
  async appendBatch(
    events: readonly (NewEvent | RawEvent)[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    const answer = await this.#post('/api/v1/events/batch', batchBody(events), options);
    return parseBatchAnswer(textOf(answer), answer.headers);
  }

  /** Yields the events that a filter means, oldest first unless the filter says otherwise. Pages are fetched as they are needed. */
  async *queryEvents(
    filter: EventFilter = {},
    options: CallOptions = {},
  ): AsyncGenerator<StoredEvent, void, undefined> {
    const limit = filter.limit ?? Number.POSITIVE_INFINITY;
    let cursor: string | null = null;
    for (let seen = 0; seen < limit; ) {
      const answer = await this.#get('/api/v1/events/query', options, {
        ...filterParameters(filter),
        limit: Math.min(filter.pageSize ?? PAGE_SIZE_DEFAULT, limit - seen),
        // Core's own answers have no cursor; events that are appended meanwhile may shift its pages.
        ...(cursor === null ? { offset: seen } : { cursor }),
      });
      const page = parseEventPage(answer.bytes);
      yield* page.events;
      if (!page.hasMore || page.events.length === 0) return;
      seen += page.events.length;
      cursor = page.nextCursor;
    }
  }

  /**
   * Yields all events that a filter means in the order of the log, as one stream in parts of the caller's making; see {@link ExportOptions}. Goes on after
   * disconnects without losing or repeating an event, however long the export is.
   */
  exportEvents<T extends ExportPart>(
    filter: ExportFilter,
    options: ExportOptions<T>,
  ): AsyncGenerator<T, void, undefined> {
    const store = { transport: this.#transport, policy: this.#policy };
    return exportEvents(store, filter, { onRetry: this.#onRetry, ...options });
  }

  /** The folded state of an entity, as of an instant if one is given. Throws `entity_not_found` when it has no events. */
  async entityState(
    entityId: string,
    options: CallOptions & { readonly asOf?: string | undefined } = {},
  ): Promise<EntityState> {
    const path = `/api/v1/entities/${encodeURIComponent(entityId)}/state`;
    return parseEntityState(textOf(await this.#get(path, options, { as_of: options.asOf })));
  }

  /** The state that was saved for an entity of a projection; null when there is none. */
  async projectionState(key: ProjectionStateKey, options: CallOptions = {}): Promise<unknown> {
    const answer = await this.#get(statePath(key.projection, key.entityId), options);
    return parseObject(textOf(answer))['state'] ?? null;
  }

  /** Saves the state of an entity of a projection. What was saved before is replaced. */
  async saveProjectionState(
    key: ProjectionStateKey,
    state: unknown,
    options: CallOptions = {},
  ): Promise<void> {
    await this.#repeatable({
      method: 'PUT',
      path: statePath(key.projection, key.entityId),
      body: JSON.stringify({ state }),
      signal: options.signal,
    });
  }

  /** Follows the store live; see {@link FollowOptions}. Goes on after disconnects without losing or repeating an event. */
  tail(options: FollowOptions = {}): AsyncGenerator<PositionedEvent, void, undefined> {
    return followEvents(
      { transport: this.#transport, policy: this.#policy },
      { onRetry: this.#onRetry, ...options },
    );
  }

  /** Health of the service at the client's address, asked once: a service that says that it is not well is an answer, not a failure. */
  health(options: CallOptions = {}): Promise<ServiceHealth> {
    return askHealth(this.#transport, options);
  }

  /** The three services, their positions and the totals. Needs an admin key. */
  async clusterStatus(options: CallOptions = {}): Promise<ClusterStatus> {
    return parseClusterStatus(textOf(await this.#get('/api/v1/cluster/status', options)));
  }

  /**
   * Has the store verify its log, up to what is durable at this moment: what it finds as it finds it, and a summary at the end. Needs an
   * admin key. One verification runs at a time; an abort ends it.
   */
  async *verify(
    options: { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<InspectionRecord, void, undefined> {
    const { signal = new AbortController().signal } = options;
    const response = await this.#transport.open({ method: 'POST', path: VERIFY_PATH, signal });
    for await (const line of linesOf(response)) {
      const record = parseInspectionRecord(line);
      if (record !== null) yield record;
    }
  }

  /**
   * Asks a route of the store that has no method here, and returns the answer's JSON text as it came. Reads are tried again by themselves; everything else is
   * sent once.
   */
  async ask(request: RouteRequest, options: CallOptions = {}): Promise<string> {
    const { method, path, query = {}, body } = request;
    const sent = { method, path, query, signal: options.signal };
    const whole = body === undefined ? sent : { ...sent, body: JSON.stringify(body) };
    if (method === 'GET') return textOf(await this.#repeatable(whole));
    return textOf(await this.#transport.request(whole));
  }

  #get(
    path: string,
    options: CallOptions,
    query: NonNullable<TransportRequest['query']> = {},
  ): Promise<TransportAnswer> {
    return this.#repeatable({ ...getRequest(path, options), query });
  }

  #post(
    path: string,
    body: Uint8Array<ArrayBuffer>,
    options: AppendOptions,
  ): Promise<TransportAnswer> {
    const idempotencyKey = options.idempotencyKey ?? randomId();
    return this.#repeatable({
      method: 'POST',
      path,
      body,
      headers: { 'idempotency-key': idempotencyKey },
      signal: options.signal,
    });
  }

  #repeatable(request: TransportRequest): Promise<TransportAnswer> {
    return withRetries(() => this.#transport.request(request), {
      policy: this.#policy,
      onRetry: this.#onRetry,
      signal: request.signal,
    });
  }
}

function getRequest(path: string, options: CallOptions): TransportRequest {
  return { method: 'GET', path, signal: options.signal };
}

function filterParameters(filter: EventFilter): NonNullable<TransportRequest['query']> {
  return {
    entity_id: filter.entityId,
    event_type: filter.eventType,
    event_type_prefix: filter.eventTypePrefix,
    since: filter.since,
    until: filter.until,
    as_of: filter.asOf,
    order: filter.order,
  };
}
