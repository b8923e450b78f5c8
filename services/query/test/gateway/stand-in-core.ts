import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { hashApiKey } from '@allsource/shared/access';
import { position } from '@allsource/shared/model';
import {
  DEFINITIONS_PATH,
  encodeHeadNotice,
  FEED_PATH,
  HEAD_PATH,
  INTERNAL_TOKEN_HEADER,
  type Role,
} from '@allsource/shared/protocol';
import { LogWriter, type WrittenEvent } from '../projections/log-writer.ts';

export const INTERNAL_TOKEN = 'a-token-for-this-test-only';

/** What arrived on a route that is not internal. */
export interface Arrival {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

interface LiveFeed {
  readonly response: ServerResponse;
  readonly isFiltered: boolean;
  /** Frames beyond this position are held back. */
  limit: number;
  /** Frames of the log sent so far. */
  sent: number;
}

export type Answerer = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

/**
 * Stands in for core: serves the internal routes over a log that the test writes, and answers every other request as the test says. The real
 * core meets the gateway in tests/e2e.
 */
export class StandInCore {
  readonly log: LogWriter;
  readonly arrivals: Arrival[] = [];
  /** Where each open feed of everything began. */
  readonly feedsFrom: number[] = [];
  /** Answers what is not internal. */
  answer: Answerer = (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"ok":true}');
  };
  /** How far feeds of everything get that are opened from now on; see `release`. */
  feedLimit = Number.POSITIVE_INFINITY;
  readonly server: Server;
  readonly #followers = new Set<LiveFeed>();
  readonly #heartbeat: NodeJS.Timeout;
  /** Positions of the last changes. */
  readonly #definitions = new Map<string, number>();
  #keys = 0;
  #refusesFeeds = false;

  constructor(log = new LogWriter()) {
    this.log = log;
    this.server = createServer((request, response) => void this.#serve(request, response));
    this.#heartbeat = setInterval(() => {
      for (const { response } of this.#followers) this.#notice(response);
    }, 500);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Feeds of everything that are open. */
  get openFeeds(): number {
    return [...this.#followers].filter(({ isFiltered }) => !isFiltered).length;
  }

  listen(port = 0): Promise<void> {
    return new Promise((resolve) => {
      this.server.listen(port, '127.0.0.1', resolve);
    });
  }

  /** The id of the key that was added last. */
  get lastKeyId(): string {
    return `key-${this.#keys}`;
  }

  /** Appends a tenant and a key of it. */
  addKey(key: string, owner: { readonly tenant: string; readonly role: Role }): void {
    const id = `key-${++this.#keys}`;
    const payload = {
      id,
      name: id,
      key_hash: hashApiKey(key),
      key_prefix: key.slice(0, 2),
      tenant_id: owner.tenant,
      role: owner.role,
      expires_at: null,
    };
    const tenant = JSON.stringify({ id: owner.tenant, name: owner.tenant });
    this.append(
      '_system',
      [
        { type: '_system.tenant.created', entity: `tenant:${owner.tenant}`, payload: tenant },
        {
          type: '_system.api_key.created',
          entity: `api_key:${id}`,
          payload: JSON.stringify(payload),
        },
      ],
      true,
    );
  }

  append(tenant: string, events: readonly WrittenEvent[], isSystem = false): void {
    this.log.commit(tenant, events, isSystem);
    for (const follower of this.#followers) this.#send(follower);
  }

  /** Ends the feeds and gives no more, or gives them again. */
  refuseFeeds(isRefusing: boolean): void {
    this.#refusesFeeds = isRefusing;
    if (isRefusing) for (const { response } of this.#followers) response.destroy();
  }

  /** Goes away, all connections at once. */
  async close(): Promise<void> {
    clearInterval(this.#heartbeat);
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeAllConnections();
    await closed;
    this.#followers.clear();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://core');
    if (url.pathname.startsWith('/internal/')) this.#serveInternal(url, { request, response });
    else {
      this.arrivals.push({
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
      });
      await this.answer(request, response);
    }
  }

  #serveInternal(
    url: URL,
    { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  ): void {
    if (request.headers[INTERNAL_TOKEN_HEADER] !== INTERNAL_TOKEN) {
      response.writeHead(401).end();
    } else if (url.pathname === HEAD_PATH) {
      response.end(JSON.stringify({ head: this.log.head, log_id: this.log.logIdHex }));
    } else if (url.pathname === FEED_PATH && this.#refusesFeeds) {
      response.writeHead(503).end('no feed');
    } else if (url.pathname === FEED_PATH) {
      this.#follow(url.searchParams, response);
    } else if (url.pathname.startsWith(DEFINITIONS_PATH)) {
      void this.#define(url, { request, response });
    } else response.writeHead(404).end();
  }

  /** Keeps definitions as core does: a change that names another position than that of the last change is refused. */
  async #define(
    url: URL,
    { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  ): Promise<void> {
    const body = await bodyOf(request);
    const [kind, tenant = '', name] = url.pathname
      .slice(DEFINITIONS_PATH.length + 1)
      .split('/')
      .map(decodeURIComponent);
    const key = `${kind}/${tenant}/${name}`;
    const changed_position = this.#definitions.get(key) ?? 0;
    if (changed_position !== Number(url.searchParams.get('expected_position'))) {
      const refusal = { code: 'definition_conflict', detail: 'Changed.', changed_position };
      response.writeHead(409).end(JSON.stringify(refusal));
      return;
    }
    const names = JSON.stringify({ kind, name });
    const isRemoval = request.method === 'DELETE';
    const type = `_system.definition.${isRemoval ? 'removed' : 'set'}`;
    const payload = isRemoval ? names : `${names.slice(0, -1)},"document":${body}}`;
    this.append(tenant, [{ type, entity: `${kind}:${name}`, payload }], true);
    if (isRemoval) this.#definitions.delete(key);
    else this.#definitions.set(key, this.log.head);
    response.end(JSON.stringify({ position: this.log.head }));
  }

  #follow(query: URLSearchParams, response: ServerResponse): void {
    const from = Number(query.get('from') ?? 1);
    const to = Number(query.get('to') ?? Number.POSITIVE_INFINITY);
    const isFiltered = query.get('only') === 'system';
    const limit = isFiltered ? Number.POSITIVE_INFINITY : this.feedLimit;
    let sent = 0;
    for (const frame of this.log.frames) {
      if (frame.lastPosition > limit) break;
      sent += 1;
      if (frame.lastPosition < from || frame.position > to) continue;
      if (!isFiltered || frame.isSystem) response.write(frame.bytes);
    }
    this.#notice(response);
    if (query.has('to')) {
      response.end();
      return;
    }
    const follower = { response, sent, isFiltered, limit };
    this.#followers.add(follower);
    if (!isFiltered) this.feedsFrom.push(from);
    response.once('close', () => this.#followers.delete(follower));
  }

  /** Lets the feeds that are held back go on. */
  release(): void {
    this.feedLimit = Number.POSITIVE_INFINITY;
    for (const follower of this.#followers) {
      follower.limit = this.feedLimit;
      this.#send(follower);
    }
  }

  #send(follower: LiveFeed): void {
    for (const frame of this.log.frames.slice(follower.sent)) {
      if (frame.lastPosition > follower.limit) break;
      follower.sent += 1;
      if (!follower.isFiltered || frame.isSystem) follower.response.write(frame.bytes);
    }
    this.#notice(follower.response);
  }

  #notice(response: ServerResponse): void {
    response.write(encodeHeadNotice(position(this.log.head), this.log.logId));
  }
}

/** The whole body of a request. */
export async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
