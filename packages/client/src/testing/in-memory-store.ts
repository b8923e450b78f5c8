/**
 * A store in memory that answers the client's own requests: what the clients of `@allsource/client` do over the network, they do with it in the process, with the
 * same checks, errors and retries. One tenant, no keys. What it does not have (snapshots, analytics, projections kept by the store) it answers
 * with `not_available`, as a store does that lacks a route.
 */
import { Problem, problem, problemHeaders, problemToWire } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { type Micros, micros } from '@allsource/shared/model';
import { Parameters } from '@allsource/shared/protocol';
import { CoreClient } from '../core/core-client.ts';
import type { AnyEvents } from '../events/event-map.ts';
import type { ClientOptions } from '../http/connection.ts';
import { isRecord } from '../http/is-record.ts';
import { QueryClient } from '../query/query-client.ts';
import { EventStreamClient } from '../stream/event-stream-client.ts';
import type { WebSocketLike } from '../stream/web-socket.ts';
import { parseBatch, parseSingle, requireJson } from './memory-body.ts';
import { MemoryConsumers, MemoryStates } from './memory-consumers.ts';
import { acknowledgement, type MemoryEvent, memoryEventJson, MemoryLog } from './memory-log.ts';
import {
  answerDuplicates,
  answerEntities,
  answerEvent,
  answerQuery,
  answerState,
} from './memory-reads.ts';
import { MemorySocket } from './memory-socket.ts';

const URL_IN_MEMORY = 'http://in-memory.invalid';

export interface InMemoryStoreOptions {
  /** Where the time comes from; the machine's clock without it. */
  readonly now?: (() => Date) | undefined;
}

interface MemoryCall {
  readonly path: readonly string[];
  readonly query: Parameters;
  readonly body: Uint8Array;
  readonly headers: Headers;
}

type Answer = string | object | Response;
type Handler = (call: MemoryCall) => Answer;

/**
 * A store in memory for tests of your own code: the clients, the engine's rules and the errors are the real ones.
 *
 * @example
 * ```ts
 * const store = new InMemoryStore();
 * const core = store.coreClient();
 * await core.ingestEvent({ eventType: 'order.placed', entityId: 'order-1', payload: { total: 42 } });
 * const history = await store.queryClient().getEntityEvents('order-1');
 * ```
 */
export class InMemoryStore {
  readonly #now: () => Date;
  readonly #log = new MemoryLog();
  readonly #consumers = new MemoryConsumers(this.#log);
  readonly #states = new MemoryStates();
  readonly #sockets = new Set<MemorySocket>();
  readonly #routes: ReadonlyMap<string, Handler> = this.#routeTable();

  constructor({ now = () => new Date() }: InMemoryStoreOptions = {}) {
    this.#now = now;
  }

  /**
   * What a client needs to use this store.
   *
   * @example
   * ```ts
   * const store = new InMemoryStore();
   * const query = new QueryClient({ ...store.connection, retry: false });
   * ```
   */
  get connection(): ClientOptions {
    return {
      url: URL_IN_MEMORY,
      fetch: (url, init) => this.#fetch(url, init),
      webSocket: (url) => this.#connect(url),
    };
  }

  /**
   * A client for appends, consumers and states.
   *
   * @example
   * ```ts
   * const core = new InMemoryStore().coreClient<Events>();
   * ```
   */
  coreClient<Events extends object = AnyEvents>(): CoreClient<Events> {
    return new CoreClient<Events>(this.connection);
  }

  /**
   * A client for queries.
   *
   * @example
   * ```ts
   * const query = new InMemoryStore().queryClient<Events>();
   * ```
   */
  queryClient<Events extends object = AnyEvents>(): QueryClient<Events> {
    return new QueryClient<Events>(this.connection);
  }

  /**
   * A client for live events.
   *
   * @example
   * ```ts
   * const stream = new InMemoryStore().streamClient<Events>();
   * ```
   */
  streamClient<Events extends object = AnyEvents>(): EventStreamClient<Events> {
    return new EventStreamClient<Events>(this.connection);
  }

  /**
   * Cuts all live connections, as a restart of a store does. Their clients connect again.
   *
   * @example
   * ```ts
   * new InMemoryStore().disconnect();
   * ```
   */
  disconnect(): void {
    for (const socket of this.#sockets) socket.close();
  }

  #connect(url: string): WebSocketLike {
    const consumerId = new URL(url).searchParams.get('consumer_id');
    const socket = new MemorySocket({
      log: this.#log,
      consumers: this.#consumers,
      consumerId,
      onClose: () => this.#sockets.delete(socket),
    });
    this.#sockets.add(socket);
    return socket;
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    init.signal?.throwIfAborted();
    try {
      const answer = this.#answer(new URL(url), init);
      if (answer instanceof Response) return answer;
      const text = typeof answer === 'string' ? answer : JSON.stringify(answer);
      return new Response(text, { headers: { 'content-type': 'application/json' } });
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const body = JSON.stringify(problemToWire(error, 'core'));
      return new Response(body, { status: error.status, headers: problemHeaders(error) });
    }
  }

  #answer(url: URL, init: RequestInit): Answer {
    const method = init.method ?? 'GET';
    const parts = url.pathname
      .replace(/^\/api\/v1\//, '')
      .split('/')
      .filter(Boolean);
    const path = parts.map(decodeURIComponent);
    const handler = this.#handlerOf(method, path);
    const { body } = init;
    const bytes =
      typeof body === 'string'
        ? Buffer.from(body)
        : body instanceof Uint8Array
          ? body
          : Buffer.alloc(0);
    const query = new Parameters(url.searchParams);
    return handler({ path, query, body: bytes, headers: new Headers(init.headers) });
  }

  /** Fixed parts of a path go before parameters, which are written as a star. */
  #handlerOf(method: string, path: readonly string[]): Handler {
    for (const pattern of patternsOf(path)) {
      const handler = this.#routes.get(`${method} ${pattern}`);
      if (handler !== undefined) return handler;
    }
    throw problem(
      'not_available',
      `The in-memory store does not have ${method} /${path.join('/')}.`,
    );
  }

  #routeTable(): ReadonlyMap<string, Handler> {
    return new Map<string, Handler>([
      ['GET health', () => ({ status: 'healthy', service: 'in-memory', version: null })],
      ['POST events', (call) => this.#append(call, false)],
      ['POST events/batch', (call) => this.#append(call, true)],
      ['GET events/query', ({ query }) => answerQuery(this.#log, query)],
      [
        'GET events/stream',
        () => {
          throw problem('upgrade_required', 'Open this path as a WebSocket.');
        },
      ],
      ['GET events/sse', (call) => this.#follow(call)],
      ['GET events/*', ({ path }) => answerEvent(this.#log, path[1] ?? '')],
      ['GET entities', ({ query }) => answerEntities(this.#log, query)],
      ['GET entities/duplicates', ({ query }) => answerDuplicates(this.#log, query)],
      ['GET entities/*/state', ({ path, query }) => answerState(this.#log, path[1] ?? '', query)],
      ['POST consumers', (call) => this.#consumers.register(jsonObject(call.body))],
      ['GET consumers/*', ({ path }) => this.#consumers.json(path[1] ?? '')],
      [
        'GET consumers/*/events',
        ({ path, query }) =>
          this.#consumers.poll(
            path[1] ?? '',
            query.integer('limit', { min: 0, max: LIMITS.pageEventsMax }),
          ),
      ],
      [
        'POST consumers/*/ack',
        ({ path, body }) => this.#consumers.acknowledge(path[1] ?? '', jsonObject(body)),
      ],
      ['GET projections', () => ({ projections: [], total: 0 })],
      [
        'GET projections/*/*/state',
        ({ path: [, name = '', id = ''] }) => stateJson(name, id, this.#states.find(name, id)),
      ],
      ['PUT projections/*/*/state', (call) => this.#saveState(call)],
      ['POST projections/*/bulk/save', (call) => this.#saveStates(call)],
      ['POST projections/*/bulk', (call) => this.#readStates(call)],
      ['GET projections/*/state', (call) => this.#listStates(call)],
    ]);
  }

  #nowMicros(): Micros {
    return micros(this.#now().getTime() * 1000);
  }

  #append({ body, headers, path }: MemoryCall, isBatch: boolean): Response {
    const now = this.#nowMicros();
    const drafts = isBatch ? parseBatch(body, now) : parseSingle(body, now);
    const key = headers.get('idempotency-key');
    const sent = `${path.join('/')}\n${Buffer.from(body).toString('latin1')}`;
    const idempotency = key === null ? null : { key, body: sent };
    const { events, isReplay } = this.#log.append({ drafts, now, idempotency });
    const rows = events.map(acknowledgement);
    const answer = isBatch ? { total: rows.length, ingested: rows.length, events: rows } : rows[0];
    const replayed: Record<string, string> = isReplay ? { 'idempotent-replayed': 'true' } : {};
    return new Response(JSON.stringify(answer), { headers: replayed });
  }

  #follow({ query, headers }: MemoryCall): Response {
    const asked = headers.get('last-event-id') ?? query.text('from');
    let sent = asked === null ? this.#log.head : Number(asked);
    let stop: (() => void) | null = null;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        const send = () => {
          const events: MemoryEvent[] = this.#log.events.slice(sent);
          sent = this.#log.head;
          for (const event of events)
            controller.enqueue(
              Buffer.from(`id: ${event.position}\ndata: ${memoryEventJson(event, true)}\n\n`),
            );
        };
        stop = this.#log.onAppend(send);
        send();
      },
      cancel: () => stop?.(),
    });
    return new Response(body);
  }

  #saveState({ path: [, projection = '', entity = ''], body }: MemoryCall): object {
    const { state = null } = jsonObject(body);
    this.#states.save(projection, [[entity, JSON.stringify(state)]]);
    return { projection, entity_id: entity, saved: true };
  }

  #saveStates({ path: [, projection = ''], body }: MemoryCall): object {
    requireJson(body);
    const rows = this.#states.rowsOf(body);
    this.#states.save(projection, rows);
    return { projection, saved: rows.length, total: rows.length };
  }

  #readStates({ path: [, projection = ''], body }: MemoryCall): string {
    const { entity_ids: ids } = jsonObject(body);
    const rows = (Array.isArray(ids) ? ids.map(String) : []).map((id) =>
      stateJson(projection, id, this.#states.find(projection, id)),
    );
    return `{"projection":${JSON.stringify(projection)},"states":[${rows.join(',')}],"total":${rows.length}}`;
  }

  #listStates({ path: [, projection = ''], query }: MemoryCall): string {
    const limits = { min: 0, max: LIMITS.bulkStatesMax };
    const limit = query.integer('limit', limits) ?? LIMITS.bulkStatesMax;
    const offset = query.integer('offset', { min: 0, max: Number.MAX_SAFE_INTEGER }) ?? 0;
    const all = this.#states.list(projection, query.text('entity_id_prefix') ?? '');
    const rows = all
      .slice(offset, offset + limit)
      .map(([entity, state]) => stateJson(projection, entity, state));
    const hasMore = offset + rows.length < all.length;
    return `{"projection":${JSON.stringify(projection)},"states":[${rows.join(',')}],"count":${rows.length},"total":${all.length},"has_more":${hasMore}}`;
  }
}

function jsonObject(body: Uint8Array): Record<string, unknown> {
  requireJson(body);
  const parsed: unknown = JSON.parse(Buffer.from(body).toString('utf8'));
  if (isRecord(parsed)) return parsed;
  throw problem('invalid_body', 'The body must be a JSON object.');
}

function stateJson(projection: string, entity: string, state: string | null): string {
  return `{"projection":${JSON.stringify(projection)},"entity_id":${JSON.stringify(entity)},"state":${state ?? 'null'},"found":${state !== null}}`;
}

/** The path as it is, then with one, and with two of its parts after the first as parameters. */
function patternsOf(path: readonly string[]): string[] {
  const starred = (...at: number[]) =>
    path.map((part, i) => (at.includes(i) ? '*' : part)).join('/');
  return [starred(), starred(1), starred(1, 2)];
}
