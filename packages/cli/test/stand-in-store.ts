import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { JsonScanner } from '@allsource/shared/json';

export const TEST_KEY = 'ask_stand-in';

export interface StandInEvent {
  /** The event's text as it was sent. */
  readonly text: string;
  readonly position: number;
  readonly version: number;
  readonly type: string;
  readonly entity: string;
  readonly timestamp: string;
}

interface Refusal {
  readonly status: number;
  readonly body: Record<string, unknown>;
}

interface Draft {
  readonly event_type: string;
  readonly entity_id: string;
  readonly timestamp?: string;
  readonly expected_version?: number;
}

/**
 * A store in memory that speaks the wire of the query service: enough of it for the command, with knobs for what goes wrong. It keeps
 * what core promises: batches are atomic, and a key names one body.
 */
export class StandInStore {
  readonly events: StandInEvent[] = [];
  /** Requests to append, whatever became of them. */
  appends = 0;
  /** Says why an event is refused; null when it is not. */
  refuses: (text: string) => string | null = () => null;
  /** Events that one batch may hold. */
  batchEventsMax = 10_000;
  /** Called before an append: false cuts the connection without storing. */
  accepts: () => boolean = () => true;
  /** Called after an append was stored: false cuts the connection without an answer. */
  answers: () => boolean = () => true;
  health: Record<string, unknown> = { status: 'healthy', service: 'stand-in', version: '1' };
  cluster: Record<string, unknown> | null = null;
  /** The checks of /readyz that fail, each with its reason. */
  notReady: Record<string, string> = {};
  /** The metrics page; the stand-in is its own core. */
  metrics = '';
  /** Answers any other route, by "METHOD /path?query"; null: there is none. */
  routes: (
    line: string,
    body: string,
  ) => { readonly status: number; readonly body: object } | null = () => null;
  /** What a verification answers, one record a line. */
  verification = '';
  readonly #bodies = new Map<string, string>();
  readonly #states = new Map<string, unknown>();
  readonly #streams = new Map<ServerResponse, URLSearchParams>();
  readonly #server: Server = createServer(
    (request, response) => void this.#serve(request, response),
  );
  #port = 0;

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Stops answering; `start` goes on at the same address with the same events. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    this.#streams.clear();
    await closed;
  }

  /** Cuts every live stream. */
  cutStreams(): void {
    for (const response of this.#streams.keys()) response.destroy();
    this.#streams.clear();
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  append(texts: readonly string[]): void {
    for (const text of texts) {
      const draft = JSON.parse(text) as Draft;
      const version = this.events.filter((event) => event.entity === draft.entity_id).length + 1;
      const event = {
        text,
        position: this.events.length + 1,
        version,
        type: draft.event_type,
        entity: draft.entity_id,
        timestamp: draft.timestamp ?? '2026-01-01T00:00:00.000Z',
      };
      this.events.push(event);
      for (const response of this.#streams.keys()) sendStreamed(response, event);
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://stand-in');
    const body = await readText(request);
    if (url.pathname === '/health') {
      answer(response, this.health['status'] === 'healthy' ? 200 : 503, this.health);
    } else if (this.#isPublic(url.pathname, response)) {
      // Answered.
    } else if (request.headers.authorization !== `Bearer ${TEST_KEY}`) {
      answer(response, 401, {
        error: { code: 'unauthenticated', message: 'No.' },
        code: 'unauthenticated',
        detail: 'No valid key.',
        retryable: false,
      });
    } else this.#route(request, response, { url, body });
  }

  #isPublic(path: string, response: ServerResponse): boolean {
    if (path === '/livez') answer(response, 200, { status: 'alive' });
    else if (path === '/metrics') answer(response, 200, this.metrics);
    else if (path === '/readyz') {
      const failed = Object.entries(this.notReady);
      const checks = failed.map(([name, detail]) => ({ name, ok: false, detail }));
      answer(response, failed.length === 0 ? 200 : 503, { checks });
    } else return false;
    return true;
  }

  #route(
    request: IncomingMessage,
    response: ServerResponse,
    { url, body }: { readonly url: URL; readonly body: string },
  ): void {
    const given = this.routes(`${request.method} ${request.url}`, body);
    if (given !== null) answer(response, given.status, { ...given.body });
    else if (url.pathname === '/api/v1/events/batch') this.#appendBatch(request, response, body);
    else if (url.pathname === '/api/v1/events/query') this.#query(response, url.searchParams);
    else if (url.pathname === '/api/v1/events/sse') this.#stream(request, response, url);
    else if (url.pathname === '/api/v1/cluster/status' && this.cluster !== null)
      answer(response, 200, this.cluster);
    else if (url.pathname === '/api/v1/operations/verify') answer(response, 200, this.verification);
    else if (/^\/api\/v1\/projections\/.*\/state$/.test(url.pathname))
      this.#projectionState(request, response, body);
    else if (url.pathname.endsWith('/state')) this.#state(response, url.pathname);
    else answer(response, 404, { code: 'route_not_found', detail: 'No such route.' });
  }

  #projectionState(request: IncomingMessage, response: ServerResponse, body: string): void {
    const path = String(request.url);
    if (request.method === 'PUT')
      this.#states.set(path, (JSON.parse(body) as { state: unknown }).state);
    const state = this.#states.get(path) ?? null;
    answer(response, 200, { state, found: state !== null, saved: true });
  }

  #appendBatch(request: IncomingMessage, response: ServerResponse, body: string): void {
    this.appends++;
    if (!this.accepts()) {
      response.destroy();
      return;
    }
    const key = String(request.headers['idempotency-key']);
    const digest = createHash('sha256').update(body).digest('hex');
    const texts = eventTexts(Buffer.from(body));
    const refusal = this.#refusal(texts) ?? this.#keyRefusal(key, digest);
    if (refusal !== null) {
      answer(response, refusal.status, refusal.body);
      return;
    }
    const isReplay = this.#bodies.has(key);
    if (!isReplay) {
      const conflict = this.#conflict(texts);
      if (conflict !== null) {
        answer(response, conflict.status, conflict.body);
        return;
      }
      this.#bodies.set(key, digest);
      this.append(texts);
    }
    if (!this.answers()) {
      response.destroy();
      return;
    }
    if (isReplay) response.setHeader('idempotent-replayed', 'true');
    const acknowledged = texts.map(() => ({ event_id: 'e', timestamp: 't', version: 1 }));
    answer(response, 201, { data: acknowledged, count: texts.length });
  }

  #refusal(texts: readonly string[]): Refusal | null {
    if (texts.length > this.batchEventsMax)
      return {
        status: 413,
        body: { code: 'batch_too_large', detail: 'Too many.', retryable: false },
      };
    for (const [index, text] of texts.entries()) {
      const reason = this.refuses(text);
      if (reason === null) continue;
      const detail = `${reason} (event ${index} of the batch; nothing of it was stored)`;
      return { status: 422, body: { code: 'schema_violation', detail, index, retryable: false } };
    }
    return null;
  }

  #keyRefusal(key: string, digest: string): Refusal | null {
    const known = this.#bodies.get(key);
    if (known === undefined || known === digest) return null;
    return {
      status: 422,
      body: { code: 'idempotency_key_reused', detail: 'Used for another body.', retryable: false },
    };
  }

  #conflict(texts: readonly string[]): Refusal | null {
    for (const text of texts) {
      const { entity_id, expected_version } = JSON.parse(text) as Draft;
      const current = this.events.filter((event) => event.entity === entity_id).length;
      if (expected_version === undefined || expected_version === current) continue;
      return {
        status: 409,
        body: { error: 'version_conflict', expected_version, current_version: current },
      };
    }
    return null;
  }

  #query(response: ServerResponse, parameters: URLSearchParams): void {
    const entity = parameters.get('entity_id');
    const matching = this.events
      .filter((event) => event.entity === entity)
      .toSorted((a, b) => a.timestamp.localeCompare(b.timestamp));
    const offset = Number(parameters.get('offset'));
    const page = matching.slice(offset, offset + Number(parameters.get('limit')));
    const has_more = offset + page.length < matching.length;
    const text = `{"events":[${page.map(storedJson).join(',')}],"count":${page.length},"has_more":${has_more}}`;
    answer(response, 200, text);
  }

  #state(response: ServerResponse, path: string): void {
    const entity = decodeURIComponent(path.split('/').at(-2) ?? '');
    const events = this.events.filter((event) => event.entity === entity);
    if (events.length === 0) {
      answer(response, 404, { code: 'entity_not_found', detail: `'${entity}' has no events.` });
      return;
    }
    answer(response, 200, {
      entity_id: entity,
      last_updated: events.at(-1)?.timestamp,
      event_count: events.length,
      as_of: null,
      current_state: {},
      history: [],
    });
  }

  #stream(request: IncomingMessage, response: ServerResponse, url: URL): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const after = Number(request.headers['last-event-id'] ?? this.events.length);
    response.write(`retry: 1000\n: connected\n\nid: ${after}\n\n`);
    for (const event of this.events.slice(after)) sendStreamed(response, event);
    this.#streams.set(response, url.searchParams);
    response.once('close', () => this.#streams.delete(response));
  }
}

function sendStreamed(response: ServerResponse, event: StandInEvent): void {
  response.write(`id: ${event.position}\ndata: ${storedJson(event)}\n\n`);
}

/** The event as the service returns it, with the payload's own text. */
function storedJson({ text, version, type, entity, timestamp }: StandInEvent): string {
  const payload = /"payload":(.*)\}$/.exec(text)?.[1] ?? 'null';
  return `{"id":"id","event_type":${JSON.stringify(type)},"entity_id":${JSON.stringify(entity)},"tenant_id":"default","payload":${payload},"timestamp":"${timestamp}","metadata":null,"version":${version}}`;
}

function eventTexts(body: Buffer): string[] {
  const texts: string[] = [];
  const scanner = new JsonScanner(body, 100);
  scanner.visitObject(0, () =>
    scanner.visitArray(1, () => {
      const start = scanner.at;
      scanner.skipValue(2);
      texts.push(body.toString('utf8', start, scanner.at));
    }),
  );
  return texts;
}

function answer(response: ServerResponse, status: number, body: object | string): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
