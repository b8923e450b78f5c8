/**
 * The Rust SDK (0.19.2 and later) as the wire sees it: a bearer key, three retries for whatever may pass, also for a 2xx body that does not decode,
 * and event types brought into the wire's form before they are sent.
 */
import * as types from './rust-types.ts';
import { membersOf, percentEncoded, queryString, text } from './shape.ts';
import {
  isRetryableStatus,
  parsedJson,
  SdkConnectionError,
  SdkDecodeError,
  type SdkFailure,
  SdkHttpError,
  SdkTransport,
  type SdkTry,
} from './transport.ts';

export interface RustClientOptions {
  readonly url: string;
  readonly apiKey: string;
  readonly retriesMax?: number;
  readonly breakerThreshold?: number;
}

export interface RustEventInput {
  readonly eventType: string;
  readonly entityId: string;
  readonly payload: unknown;
  readonly metadata?: unknown;
  /** Later than 0.19. */
  readonly expectedVersion?: number;
}

/** `Error::VersionConflict`: only a 409 whose `error` is the literal text, with both integers. */
export class RustVersionConflict extends Error {
  override readonly name = 'RustVersionConflict';
  readonly expected: number;
  readonly current: number;

  constructor(expected: number, current: number) {
    super(`expected version ${expected}, current ${current}`);
    this.expected = expected;
    this.current = current;
  }
}

/** `Error::Api`: any other answer that is not 2xx. */
export class RustApiError extends Error {
  override readonly name = 'RustApiError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

class RustTransport {
  readonly #transport: SdkTransport;

  constructor({ url, apiKey, retriesMax = 3, breakerThreshold = 5 }: RustClientOptions) {
    this.#transport = new SdkTransport({
      url,
      headers: { authorization: `Bearer ${apiKey}`, accept: 'application/json' },
      contentType: 'with a body',
      retriesMax,
      repeats: isRustRetryable,
      failuresOf,
      breakerThreshold,
    });
  }

  get tries(): readonly SdkTry[] {
    return this.#transport.tries;
  }

  get<T>(path: string, read: (value: unknown) => T): Promise<T> {
    return this.#call({ method: 'GET', path }, read);
  }

  send<T>(
    request: { readonly method?: string; readonly path: string; readonly body: unknown },
    read: (value: unknown) => T,
  ): Promise<T> {
    return this.#call({ method: 'POST', ...request }, read);
  }

  async #call<T>(
    request: { method: string; path: string; body?: unknown },
    read: (value: unknown) => T,
  ): Promise<T> {
    try {
      return await this.#transport.call(request, (body) => read(parsedJson(body)));
    } catch (error) {
      throw error instanceof SdkHttpError ? rustErrorOf(error) : error;
    }
  }
}

export class RustCoreClient {
  readonly #transport: RustTransport;

  constructor(options: RustClientOptions) {
    this.#transport = new RustTransport(options);
  }

  get tries(): readonly SdkTry[] {
    return this.#transport.tries;
  }

  health(): Promise<string> {
    return this.#transport.get('/health', statusOf);
  }

  ingestEvent(event: RustEventInput): Promise<types.RustIngested> {
    return this.#transport.send(
      { path: '/api/v1/events', body: inputOnWire(event) },
      types.rustIngested,
    );
  }

  ingestBatch(events: readonly RustEventInput[]): Promise<types.RustBatch> {
    return this.#transport.send(
      { path: '/api/v1/events/batch', body: { events: events.map(inputOnWire) } },
      types.rustBatch,
    );
  }

  async projectionState(projection: string, entityId: string): Promise<unknown> {
    try {
      return await this.#transport.get(statePath(projection, entityId), types.rustState);
    } catch (error) {
      if (error instanceof RustApiError && error.status === 404) return null;
      throw error;
    }
  }

  async putProjectionState(projection: string, entityId: string, state: unknown): Promise<void> {
    await this.#transport.send(
      { method: 'PUT', path: statePath(projection, entityId), body: { state } },
      anyJson,
    );
  }

  async bulkPutProjectionState(
    projection: string,
    states: readonly (readonly [entityId: string, state: unknown])[],
  ): Promise<void> {
    const path = `/api/v1/projections/${percentEncoded(projection)}/bulk/save`;
    const rows = states.map(([entityId, state]) => ({ entity_id: entityId, state }));
    await this.#transport.send({ path, body: { states: rows } }, anyJson);
  }

  /** Later than 0.19. */
  projectionStates(
    projection: string,
    page: { readonly limit?: number; readonly offset?: number; readonly prefix?: string } = {},
  ): Promise<types.RustStatePage> {
    const query = queryString({
      limit: page.limit,
      offset: page.offset,
      entity_id_prefix: page.prefix,
    });
    return this.#transport.get(
      `/api/v1/projections/${percentEncoded(projection)}/state${query}`,
      (value) => types.rustStatePage(value, page.limit),
    );
  }

  registerConsumer(consumerId: string, filters: readonly string[]): Promise<types.RustConsumer> {
    const body = { consumer_id: consumerId, event_type_filters: filters };
    return this.#transport.send({ path: '/api/v1/consumers', body }, types.rustConsumer);
  }

  getConsumer(consumerId: string): Promise<types.RustConsumer> {
    return this.#transport.get(consumerPath(consumerId), types.rustConsumer);
  }

  async loadCheckpoint(consumerId: string): Promise<number | null> {
    return (await this.getConsumer(consumerId)).cursorPosition;
  }

  async saveCheckpoint(consumerId: string, position: number): Promise<void> {
    await this.#transport.send(
      { path: `${consumerPath(consumerId)}/ack`, body: { position } },
      anyJson,
    );
  }

  /** Later than 0.19: the next events of a consumer, each with its position. */
  pollConsumerEvents(
    consumerId: string,
    limit: number,
  ): Promise<{ position: number; event: types.RustEvent }[]> {
    return this.#transport.get(`${consumerPath(consumerId)}/events?limit=${limit}`, (value) => {
      const answer = membersOf(value, 'the answer');
      if (typeof answer['count'] !== 'number') throw new SdkDecodeError('no count');
      return (answer['events'] as unknown[]).map((item) => ({
        position: membersOf(item, 'an event')['position'] as number,
        event: types.rustEvent(item),
      }));
    });
  }
}

export interface RustQuery {
  readonly entity_id?: string;
  readonly event_type?: string;
  readonly event_type_prefix?: string;
  readonly limit?: number;
  readonly offset?: number;
  readonly since?: string;
  readonly until?: string;
  /** The JSON text of an object. */
  readonly payload_filter?: string;
  readonly order?: 'asc' | 'desc';
}

export class RustQueryClient {
  readonly #transport: RustTransport;

  constructor(options: RustClientOptions) {
    this.#transport = new RustTransport(options);
  }

  get tries(): readonly SdkTry[] {
    return this.#transport.tries;
  }

  health(): Promise<string> {
    return this.#transport.get('/health', statusOf);
  }

  queryEvents(query: RustQuery): Promise<types.RustEvents> {
    return this.#transport.get(
      `/api/v1/events/query${queryString({ ...query })}`,
      types.rustEvents,
    );
  }

  getEntityEvents(entityId: string): Promise<types.RustEvents> {
    return this.queryEvents({ entity_id: entityId });
  }

  /** Later than 0.19: pages of events until the server says that there are no more. A page that begins as the last one did is an error. */
  async *pagesOfEvents(query: RustQuery, pageSize = 100): AsyncGenerator<types.RustEvent> {
    let first: string | null = null;
    for (let offset = 0; ; offset += pageSize) {
      const page = await this.queryEvents({ ...query, limit: pageSize, offset });
      const head = page.events[0]?.id ?? null;
      if (head !== null && head === first) throw new SdkDecodeError('ignored offset');
      first = head;
      yield* page.events;
      if (page.hasMore === false || page.events.length < pageSize) return;
    }
  }

  /** Asks once, without paging: a server with a default limit would silently shorten the fold. */
  async queryAndFold<S>(query: RustQuery, folder: RustFolder<S>): Promise<S | null> {
    const { events } = await this.queryEvents(query);
    for (const event of events) folder.apply(event);
    return folder.finalize();
  }

  listProjections(): Promise<types.RustProjections> {
    return this.#transport.get('/api/v1/projections', types.rustProjections);
  }

  listEntities(
    query: {
      readonly event_type_prefix?: string;
      readonly limit?: number;
      readonly offset?: number;
      readonly order?: 'asc' | 'desc';
    } = {},
  ): Promise<types.RustEntities> {
    return this.#transport.get(`/api/v1/entities${queryString(query)}`, types.rustEntities);
  }

  detectDuplicates(prefix: string, groupBy: readonly string[]): Promise<types.RustDuplicates> {
    const query = queryString({ event_type_prefix: prefix, group_by: groupBy.join(',') });
    return this.#transport.get(`/api/v1/entities/duplicates${query}`, types.rustDuplicates);
  }

  /** Later than 0.19, at the gateway. */
  previewReplay(projection: string): Promise<Readonly<Record<string, unknown>>> {
    const body = { projection_name: projection };
    return this.#transport.send({ path: '/api/replay/preview', body }, types.rustReplayAnalysis);
  }

  startReplay(projection: string): Promise<types.RustReplayRun> {
    const body = { projection_name: projection };
    return this.#transport.send({ path: '/api/replay', body }, types.rustReplayRun);
  }

  getReplay(replayId: string): Promise<types.RustReplayRun> {
    return this.#transport.get(`/api/replay/${percentEncoded(replayId)}`, types.rustReplayRun);
  }
}

/** A fold of events on the client's side. */
export interface RustFolder<S> {
  apply(event: types.RustEvent): void;
  finalize(): S | null;
}

/** Event types in the wire's form: words joined by dots, in lower case. */
export function normalizedEventType(type: string): string {
  if (type.includes('.')) return type.toLowerCase();
  if (/[_-]/.test(type)) return type.replace(/[_-]/g, '.').toLowerCase();
  return type.replace(/(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])/g, '.').toLowerCase();
}

function inputOnWire(event: RustEventInput): Readonly<Record<string, unknown>> {
  const { eventType, entityId, payload, metadata, expectedVersion } = event;
  return {
    event_type: normalizedEventType(eventType),
    entity_id: entityId,
    payload,
    // Options that are None are left out, not null.
    metadata,
    expected_version: expectedVersion,
  };
}

function isRustRetryable(failure: SdkFailure): boolean {
  if (failure instanceof SdkConnectionError || failure instanceof SdkDecodeError) return true;
  return isRetryableStatus(failure.status);
}

// A try that is repeated counts; so does a last one that the server or the way to it is to blame for.
function failuresOf(failure: SdkFailure, isLast: boolean): number {
  const isOfServer = !(failure instanceof SdkHttpError) || failure.status >= 500;
  return isLast && !isOfServer ? 0 : 1;
}

function rustErrorOf({ status, text: body }: SdkHttpError): Error {
  const answer = jsonMembers(body);
  const { error, expected_version: expected, current_version: current } = answer;
  const hasVersions = Number.isInteger(expected) && Number.isInteger(current);
  if (status === 409 && error === 'version_conflict' && hasVersions)
    return new RustVersionConflict(expected as number, current as number);
  const message = typeof error === 'object' ? jsonMembers(error)['message'] : error;
  return new RustApiError(status, typeof message === 'string' ? message : 'Unknown error');
}

function jsonMembers(value: unknown): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = typeof value === 'string' ? JSON.parse(value) : value;
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch {
    // Plain text has no members; the SDK says "Unknown error" then.
    return {};
  }
}

function statusOf(value: unknown): string {
  return text(membersOf(value, 'the answer'), 'status');
}

// The SDK reads an answer that it does not use as JSON all the same: an empty body fails.
function anyJson(value: unknown): unknown {
  return value;
}

function statePath(projection: string, entityId: string): string {
  return `/api/v1/projections/${percentEncoded(projection)}/${percentEncoded(entityId)}/state`;
}

function consumerPath(consumerId: string): string {
  return `/api/v1/consumers/${percentEncoded(consumerId)}`;
}
