/** The reading half of core on a real server at a free port, over a log in memory: two tenants and their keys. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CompiledSchemas, SchemaFold } from '@allsource/schemas/registry';
import { UpcastFault, Upcasts } from '@allsource/schemas/upcasting';
import { type Call, createApp, createGuard, type Guard } from '@allsource/service-kit/http';
import { createLogger, HttpMetrics } from '@allsource/service-kit/observability';
import {
  AccessDirectory,
  Authenticator,
  hashApiKey,
  resolveTenant,
} from '@allsource/shared/access';
import { must } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import type { Role } from '@allsource/shared/protocol';
import { type Answer, answerOf, requestBody } from '@allsource/testkit';
import { ConsumerFold } from '../../src/consumers/consumer-fold.ts';
import { ConsumerService } from '../../src/consumers/consumer-service.ts';
import { CommitFeed } from '../../src/feed/commit-feed.ts';
import { consumerRoutes } from '../../src/http/consumer-routes.ts';
import { eventReadRoutes } from '../../src/http/event-read-routes.ts';
import { forwardToQuery } from '../../src/http/forwarded-routes.ts';
import { feedRoutes, HeadAnswer } from '../../src/http/feed-routes.ts';
import { LiveConnections } from '../../src/http/live-connections.ts';
import { projectionStateRoutes } from '../../src/http/projection-state-routes.ts';
import { sseRoutes } from '../../src/http/sse-routes.ts';
import { STREAM_PACING, type StreamPacing } from '../../src/http/stream-connection.ts';
import { StreamSocket, streamSocketRoutes } from '../../src/http/stream-socket.ts';
import { ProjectionStateFold } from '../../src/projection-state/projection-state-fold.ts';
import { ProjectionStateService } from '../../src/projection-state/projection-state-service.ts';
import { EntityReader } from '../../src/read/entity-reader.ts';
import { FrameReader } from '../../src/read/frame-reader.ts';
import { MemoryLog } from './memory-log.ts';

export const INTERNAL_TOKEN = 'internal-token-of-the-test';
/** Keys by name: a tenant's own, a read-only one, another tenant's, and one of an admin of the tenant `default`. */
export const KEYS = {
  acme: 'test-key',
  acmeReadOnly: 'test-key-read-only',
  globex: 'test-key-globex',
  admin: 'test-key-admin',
} as const;

export interface TestCoreOptions {
  readonly emptyBearerStreams?: boolean;
  readonly connectionsMax?: number;
  readonly tickMs?: number;
  readonly heartbeatMs?: number;
  readonly pacing?: Partial<StreamPacing>;
  readonly forward?: (call: Call) => Promise<void>;
  readonly stateBytesMax?: number;
}

export class TestCore {
  readonly log = new MemoryLog();
  readonly directory = new AccessDirectory();
  readonly consumerFold = new ConsumerFold();
  readonly stateFold = new ProjectionStateFold();
  readonly #upcasts = new Upcasts({
    fold: new SchemaFold(),
    compiled: new CompiledSchemas(),
    functions: { call: () => Promise.reject(new UpcastFault('there are no functions here')) },
  });
  readonly feed = new CommitFeed(this.log);
  readonly connections: LiveConnections;
  /** The position of the last event of the preparation; the tests' own begin behind it. */
  start = 0;
  /** The clock of the authenticator; a test moves it to let a key expire. */
  nowMs = Date.now();
  readonly #options: TestCoreOptions;
  #server: Server | null = null;

  private constructor(options: TestCoreOptions) {
    this.#options = options;
    this.connections = new LiveConnections({
      connectionsMax: options.connectionsMax ?? 100,
      tickMs: options.tickMs ?? 1_000,
    });
  }

  static async start(options: TestCoreOptions = {}): Promise<TestCore> {
    const core = new TestCore(options);
    await core.#start();
    return core;
  }

  get port(): number {
    return (must(this.#server, 'started').address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async #start(): Promise<void> {
    this.log.folds.push(this.directory, this.consumerFold, this.stateFold);
    for (const tenant of ['default', 'acme', 'globex']) await this.#addTenant(tenant);
    await this.addKey(KEYS.acme, 'acme', { role: 'serviceaccount' });
    await this.addKey(KEYS.acmeReadOnly, 'acme', { role: 'readonly' });
    await this.addKey(KEYS.globex, 'globex', { role: 'serviceaccount' });
    await this.addKey(KEYS.admin, 'default', { role: 'admin' });
    this.start = this.log.head;
    const guard = this.#guard();
    const socket = new StreamSocket({ ...this.#liveOptions(guard), ...this.#streamOptions() });
    this.#server = createServer(this.#app(guard));
    this.#server.on('upgrade', socket.handle);
    await new Promise<void>((resolve) => this.#server?.listen(0, '127.0.0.1', resolve));
  }

  async #addTenant(id: string): Promise<void> {
    const payload = { id, name: id };
    await this.log.appendSystem('_system', [
      { entity: `tenant:${id}`, event: { type: '_system.tenant.created', payload } },
    ]);
  }

  async addKey(
    key: string,
    tenant: string,
    { role, expiresAtMs }: { readonly role: Role; readonly expiresAtMs?: number },
  ): Promise<void> {
    const payload = {
      id: `id-of-${key}`,
      name: key,
      key_hash: hashApiKey(key),
      key_prefix: '',
      tenant_id: tenant,
      role,
      expires_at: expiresAtMs === undefined ? null : new Date(expiresAtMs).toISOString(),
    };
    await this.log.appendSystem('_system', [
      { entity: `api_key:${payload.id}`, event: { type: '_system.api_key.created', payload } },
    ]);
  }

  async revokeKey(key: string): Promise<void> {
    const payload = { id: `id-of-${key}` };
    await this.log.appendSystem('_system', [
      { entity: `api_key:${payload.id}`, event: { type: '_system.api_key.revoked', payload } },
    ]);
  }

  #guard(): Guard {
    const authenticator = new Authenticator({
      directory: this.directory,
      jwtSecret: null,
      devTenant: null,
      nowMs: () => this.nowMs,
    });
    return createGuard({ authenticator, internalToken: INTERNAL_TOKEN });
  }

  readonly #resolveTenant = (
    principal: Parameters<typeof resolveTenant>[0],
    asked: string | null,
  ) => resolveTenant(principal, asked, this.directory);

  #liveOptions(guard: Guard) {
    const { heartbeatMs } = this.#options;
    return {
      log: this.log,
      upcasts: this.#upcasts,
      connections: this.connections,
      authenticate: (request: Parameters<Guard>[0]) =>
        must(guard(request, 'authenticated'), 'somebody'),
      logger: createLogger('core', 'silent'),
      ...(heartbeatMs === undefined ? {} : { heartbeatMs }),
    };
  }

  get #consumers(): ConsumerService {
    return new ConsumerService({ fold: this.consumerFold, appender: this.log, log: this.log });
  }

  #streamOptions() {
    return {
      consumers: this.#consumers,
      consumerFold: this.consumerFold,
      resolveTenant: this.#resolveTenant,
      emptyBearerStreams: this.#options.emptyBearerStreams ?? true,
      pacing: { ...STREAM_PACING, ...this.#options.pacing },
    };
  }

  #app(guard: Guard) {
    const { log, feed, stateFold } = this;
    const frames = new FrameReader(log);
    const states = new ProjectionStateService({
      fold: stateFold,
      appender: log,
      frames,
      stateBytesMax: this.#options.stateBytesMax ?? LIMITS.projectionStateBytesMax,
    });
    const entities = new EntityReader({ frames, entities: log });
    const forward = this.#options.forward ?? forwardToQuery(null);
    return createApp({
      edge: 'core',
      guard,
      resolveTenant: this.#resolveTenant,
      logger: createLogger('core', 'silent'),
      metrics: new HttpMetrics('test'),
      routes: [
        ...feedRoutes({ feed, head: new HeadAnswer(log, null) }),
        ...consumerRoutes(this.#consumers, this.#upcasts),
        ...projectionStateRoutes({
          states,
          bodyBytesMax: LIMITS.bodyBytesMax,
          isComputed: () => false,
          forward,
        }),
        ...streamSocketRoutes(),
        ...sseRoutes(this.#liveOptions(guard)),
        ...eventReadRoutes({ log, frames, entities, forward }),
      ],
    });
  }

  /** Asks with a key and returns the whole answer. A body is sent as JSON, text as it is. */
  async ask(
    key: string,
    target: string,
    options: { readonly method?: string; readonly body?: unknown } = {},
  ): Promise<Answer> {
    const [method = 'GET', path = target] = target.includes(' ') ? target.split(' ') : [];
    const response = await fetch(this.url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...requestBody(options.body),
    });
    return await answerOf(response);
  }

  async close(): Promise<void> {
    await this.connections.close();
    await this.feed.close();
    const server = must(this.#server, 'started');
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }
}
