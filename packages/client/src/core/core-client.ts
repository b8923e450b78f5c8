import {
  type AppendedEvent,
  type AppendOptions,
  type AppendResult,
  batchBody,
  eventBody,
  parseBatchAnswer,
  parseSingleAnswer,
  type RawEvent,
} from '../events/append.ts';
import {
  type AnyEvents,
  type EventOf,
  type EventParser,
  type NewEventOf,
  typed,
} from '../events/event-map.ts';
import { badAnswer } from '../http/allsource-error.ts';
import {
  callMembers,
  type CallOptions,
  type ClientOptions,
  Connection,
  textOf,
} from '../http/connection.ts';
import { askHealth, type ServiceHealth } from '../http/health.ts';
import { randomId } from '../http/random-id.ts';
import type { TransportAnswer } from '../http/transport.ts';
import { type Consumer, parseConsumer, parsePolled, type PositionedEvent } from './consumers.ts';
import {
  type ListStatesParams,
  parseStatePage,
  parseStates,
  type ProjectionState,
  type ProjectionStatePage,
  stateIn,
  statePath,
} from './projection-states.ts';
import { projectionPath } from '../query/projections.ts';

export interface CoreClientOptions<Events extends object = AnyEvents> extends ClientOptions {
  /** Checks the events that a consumer polls; see {@link EventParser}. */
  readonly parseEvent?: EventParser<Events> | undefined;
}

/** What an append of one event answers. */
export interface IngestedEvent extends AppendedEvent {
  /** True when the event had been stored before, under the same idempotency key. */
  readonly isReplayed: boolean;
}

/**
 * The way to the writer: appends, durable consumers, and the states of your own projections. The url is core's (3900) inside your network, or the
 * gateway's (3902): both serve all of it. Every failure is an `AllSourceError`. Calls that fail for a passing reason are tried again; an append carries
 * an idempotency key, so a repeated one is stored once.
 *
 * @example
 * ```ts
 * type Events = { 'order.placed': { total: number }; 'order.paid': { by: string } };
 *
 * await using core = new CoreClient<Events>({ url: 'http://127.0.0.1:3900', apiKey: 'your-api-key' });
 * await core.ingestEvent({ eventType: 'order.placed', entityId: 'order-1', payload: { total: 42 } });
 * ```
 */
export class CoreClient<Events extends object = AnyEvents> {
  readonly #connection: Connection;
  readonly #parseEvent: EventParser<Events> | undefined;
  readonly #options: CoreClientOptions<Events>;

  constructor(options: CoreClientOptions<Events>) {
    this.#connection = new Connection(options);
    this.#parseEvent = options.parseEvent;
    this.#options = options;
  }

  /** What it was made with, for what is built on top of it. */
  get options(): CoreClientOptions<Events> {
    return this.#options;
  }

  /**
   * Appends one event; it is durable when the answer is there. Throws `VersionConflictError` when the entity is not at `expectedVersion`, and
   * `InvalidRequestError` for a name or payload that the store refuses.
   *
   * @example
   * ```ts
   * const { version } = await core.ingestEvent({
   *   eventType: 'order.placed',
   *   entityId: 'order-1',
   *   payload: { total: 42 },
   *   expectedVersion: 0, // the order must not exist
   * });
   * ```
   */
  async ingestEvent(
    event: NewEventOf<Events> | RawEvent,
    options: AppendOptions = {},
  ): Promise<IngestedEvent> {
    const answer = await this.#append('/api/v1/events', eventBody(event), options);
    const { events, isReplayed } = parseSingleAnswer(textOf(answer), answer.headers);
    const [ingested] = events;
    if (ingested === undefined) throw badAnswer('it names no event');
    return { ...ingested, isReplayed };
  }

  /**
   * Appends up to 10,000 events in one request, all of them or none. Events of one entity keep the order given, and their expected versions
   * may count on each other. An idempotency key is made if you give none; give one of your own to make the append repeatable beyond this call.
   *
   * @example
   * ```ts
   * await core.ingestBatch(
   *   [
   *     { eventType: 'order.placed', entityId: 'order-1', payload: { total: 42 }, expectedVersion: 0 },
   *     { eventType: 'order.paid', entityId: 'order-1', payload: { by: 'card' }, expectedVersion: 1 },
   *   ],
   *   { idempotencyKey: 'checkout-7731' },
   * );
   * ```
   */
  async ingestBatch(
    events: readonly (NewEventOf<Events> | RawEvent)[],
    options: AppendOptions = {},
  ): Promise<AppendResult> {
    const answer = await this.#append('/api/v1/events/batch', batchBody(events), options);
    return parseBatchAnswer(textOf(answer), answer.headers);
  }

  /**
   * The state that was saved for an entity of a projection; `undefined` when there is none.
   *
   * @example
   * ```ts
   * const state = await core.getProjectionState('totals', 'order-1');
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
   * Saves the state of an entity of a projection, at most 1 MiB of JSON. What was saved before is replaced.
   *
   * @example
   * ```ts
   * await core.putProjectionState('totals', { entityId: 'order-1', state: { total: 42 } });
   * ```
   */
  async putProjectionState(
    projection: string,
    { entityId, state }: ProjectionState,
    options: CallOptions = {},
  ): Promise<void> {
    const path = statePath(projection, entityId);
    await this.#connection.send({ method: 'PUT', path, body: { state } }, options);
  }

  /**
   * The saved states of the named entities, in the order named; those that have none are left out. At most 10,000 at a time.
   *
   * @example
   * ```ts
   * const states = await core.bulkGetProjectionStates('totals', ['order-1', 'order-2']);
   * ```
   */
  async bulkGetProjectionStates(
    projection: string,
    entityIds: readonly string[],
    options: CallOptions = {},
  ): Promise<readonly ProjectionState[]> {
    const path = `${projectionPath(projection)}/bulk`;
    const body = { entity_ids: entityIds };
    return parseStates(await this.#connection.send({ method: 'POST', path, body }, options));
  }

  /**
   * Saves the states of up to 10,000 entities, all or none.
   *
   * @example
   * ```ts
   * await core.bulkPutProjectionStates('totals', [
   *   { entityId: 'order-1', state: { total: 42 } },
   *   { entityId: 'order-2', state: { total: 7 } },
   * ]);
   * ```
   */
  async bulkPutProjectionStates(
    projection: string,
    states: readonly ProjectionState[],
    options: CallOptions = {},
  ): Promise<void> {
    const path = `${projectionPath(projection)}/bulk/save`;
    const rows = states.map(({ entityId, state }) => ({ entity_id: entityId, state }));
    await this.#connection.send({ method: 'POST', path, body: { states: rows } }, options);
  }

  /**
   * One page of the saved states of a projection, in the order of entity ids.
   *
   * @example
   * ```ts
   * const { states, total } = await core.listProjectionStates('totals', { limit: 100 });
   * ```
   */
  async listProjectionStates(
    projection: string,
    params: ListStatesParams = {},
    options: CallOptions = {},
  ): Promise<ProjectionStatePage> {
    const { entityIdPrefix, limit, offset } = params;
    const query = { entity_id_prefix: entityIdPrefix, limit, offset };
    return parseStatePage(
      await this.#connection.get(`${projectionPath(projection)}/state`, options, query),
    );
  }

  /**
   * Registers a durable consumer, or sets the event types of one that exists; its cursor stays. A type is exact, or a prefix such as `order.*`;
   * none means all.
   *
   * @example
   * ```ts
   * const consumer = await core.registerConsumer('mailer', { eventTypes: ['order.*'] });
   * ```
   */
  async registerConsumer(
    consumerId: string,
    { eventTypes = [] }: { readonly eventTypes?: readonly string[] } = {},
    options: CallOptions = {},
  ): Promise<Consumer> {
    const body = { consumer_id: consumerId, event_type_filters: eventTypes };
    return parseConsumer(
      await this.#connection.send({ method: 'POST', path: '/api/v1/consumers', body }, options),
    );
  }

  /**
   * A consumer: its event types and its cursor. One that nobody has registered has no types and its cursor at 0.
   *
   * @example
   * ```ts
   * const { cursorPosition } = await core.getConsumer('mailer');
   * ```
   */
  async getConsumer(consumerId: string, options: CallOptions = {}): Promise<Consumer> {
    return parseConsumer(await this.#connection.get(consumerPath(consumerId), options));
  }

  /**
   * Records that a consumer has dealt with everything up to a position. A position at or below its cursor changes nothing.
   *
   * @example
   * ```ts
   * for (const { position, event } of await core.pollConsumer('mailer')) {
   *   console.log('mail for', event.entityId);
   *   await core.ackConsumer('mailer', position);
   * }
   * ```
   */
  async ackConsumer(
    consumerId: string,
    position: number,
    options: CallOptions = {},
  ): Promise<void> {
    const path = `${consumerPath(consumerId)}/ack`;
    await this.#connection.send({ method: 'POST', path, body: { position } }, options);
  }

  /**
   * The next events of a consumer behind its cursor, 100 if no limit is given. The cursor stays where it is until the consumer acknowledges.
   *
   * @example
   * ```ts
   * const next = await core.pollConsumer('mailer', { limit: 10 });
   * ```
   */
  async pollConsumer(
    consumerId: string,
    { limit }: { readonly limit?: number } = {},
    options: CallOptions = {},
  ): Promise<readonly PositionedEvent<EventOf<Events>>[]> {
    const path = `${consumerPath(consumerId)}/events`;
    const polled = parsePolled(await this.#connection.get(path, options, { limit }));
    return polled.map(({ position, event }) => ({
      position,
      event: typed(event, this.#parseEvent),
    }));
  }

  /**
   * Where a worker of this name left off; 0 when it never began. The checkpoint is the cursor of the consumer of that name.
   *
   * @example
   * ```ts
   * const position = await core.loadCheckpoint('totals');
   * ```
   */
  async loadCheckpoint(name: string, options: CallOptions = {}): Promise<number> {
    const { cursorPosition } = await this.getConsumer(name, options);
    return cursorPosition;
  }

  /**
   * Records where a worker of this name has come to; the same as `ackConsumer`.
   *
   * @example
   * ```ts
   * await core.saveCheckpoint('totals', 1042);
   * ```
   */
  async saveCheckpoint(name: string, position: number, options: CallOptions = {}): Promise<void> {
    await this.ackConsumer(name, position, options);
  }

  /**
   * What the service says of itself, asked once: one that says that it is not well is an answer, not a failure.
   *
   * @example
   * ```ts
   * const { status } = await core.health(); // 'healthy'
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
   * core.close();
   * ```
   */
  close(): void {
    this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  #append(
    path: string,
    body: Uint8Array<ArrayBuffer>,
    options: AppendOptions,
  ): Promise<TransportAnswer> {
    const headers = { 'idempotency-key': options.idempotencyKey ?? randomId() };
    return this.#connection.call({ method: 'POST', path, body, headers, ...callMembers(options) });
  }
}

function consumerPath(consumerId: string): string {
  return `/api/v1/consumers/${encodeURIComponent(consumerId)}`;
}
