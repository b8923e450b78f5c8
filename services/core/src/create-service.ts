/**
 * The composition root of core: it opens the log, builds the folds, and puts the routes in front of them. The order of the start is the order of
 * trust: lock the folder, recover the log, make sure that somebody can log in, then listen. The stop is the other way round: no new appends, live
 * streams are told to reconnect, running requests finish, the log is closed with its marker, the lock goes.
 */
import type { Server } from 'node:http';
import { Authenticator, type Principal, resolveTenant } from '@allsource/shared/access';
import { type Problem, problem } from '@allsource/shared/errors';
import { must } from '@allsource/shared/lang';
import { systemClock } from '@allsource/shared/model';
import { obtainInternalToken } from '@allsource/service-kit/config';
import { coreErrorBody, Forwarder, Upstream } from '@allsource/service-kit/forward';
import {
  closeServer,
  type ConnectionLane,
  createApp,
  createGuard,
  createHttpServer,
  type Guard,
  listen,
  type ReadinessCheck,
  type Route,
  type TenantResolver,
  BodyRoom,
} from '@allsource/service-kit/http';
import { lockFolder, type RunningService, YoungCollector } from '@allsource/service-kit/lifecycle';
import { createLogger, HttpMetrics, type Logger } from '@allsource/service-kit/observability';
import { CORE_DOCS } from '@allsource/shared/openapi';
import { withApiDocument } from '@allsource/service-kit/openapi';
import { type AwakeProcessors, awakeProcessorsOf } from '@allsource/service-kit/processes';
import type { Express } from 'express';
import { AccessAdmin } from './access/access-admin.ts';
import { bootstrapAccess } from './access/bootstrap-access.ts';
import type { CoreConfig } from './config/core-config.ts';
import { ConsumerService } from './consumers/consumer-service.ts';
import { DefinitionService } from './definitions/definition-service.ts';
import { coreRoutes } from './core-routes.ts';
import { forwardToQuery, type QueryForward } from './http/forwarded-routes.ts';
import { openAppendLane } from './http/append-lane/append-lane.ts';
import { HeadQuestions } from './http/append-lane/head-questions.ts';
import { HeadAnswer } from './http/feed-routes.ts';
import { AppendRoute, INGEST_ROUTES } from './http/append-route.ts';
import { IngestHandler } from './http/ingest-handler.ts';
import type { Authenticate } from './http/live-right.ts';
import { NdjsonHandler } from './http/ndjson-handler.ts';
import { StreamSlots } from './http/stream-slots.ts';
import { StreamSocket } from './http/stream-socket.ts';
import { type LogParts, openLogParts } from './log-parts.ts';
import { ProjectionStateService } from './projection-state/projection-state-service.ts';
import { EntityReader } from './read/entity-reader.ts';
import { FrameReader } from './read/frame-reader.ts';
import { UpcastThread } from '@allsource/schemas/functions';
import { CompiledSchemas } from '@allsource/schemas/registry';
import { Upcasts } from '@allsource/schemas/upcasting';
import { ChangeTurns } from './schemas/change-turns.ts';
import { SchemaGate } from './schemas/schema-gate.ts';
import { SchemaService } from './schemas/schema-service.ts';
import { UpcasterService } from './schemas/upcaster-service.ts';
import { VerificationRuns } from './verify/verification-runs.ts';

const VERSION = '0.1.0';
/** Bytes that Node keeps of a request before it stops reading its socket: room for a usual batch, so that reading it takes no pauses. */
const REQUEST_BUFFER_BYTES = 1024 * 1024;

/** Core, running. */
export interface CoreService extends RunningService {
  readonly port: number;
  /** What Express serves and the routes that it should: for the audit that compares them. */
  readonly app: Express;
  readonly routes: readonly Route[];
  /** The file of the admin key that this start made; null when none was needed. */
  readonly createdKeyFile: string | null;
}

/** Starts core. Throws a ConfigError or a problem that says why it cannot start. */
export async function createCoreService(config: CoreConfig): Promise<CoreService> {
  const lock = await lockFolder(config.folder, 'core');
  try {
    const logger = createLogger('core', config.logLevel);
    const httpMetrics = new HttpMetrics('allsource_core');
    const parts = await openLogParts(config, logger, httpMetrics);
    return await new Core({
      config,
      logger,
      httpMetrics,
      parts,
      releaseLock: () => lock.release(),
    }).start();
  } catch (error) {
    await lock.release();
    throw error;
  }
}

interface CoreOptions {
  readonly config: CoreConfig;
  readonly logger: Logger;
  readonly httpMetrics: HttpMetrics;
  readonly parts: LogParts;
  readonly releaseLock: () => Promise<void>;
}

class Core {
  readonly #options: CoreOptions;
  readonly #guard: Guard;
  readonly #resolveTenant: TenantResolver;
  readonly #authenticate: Authenticate;
  readonly #youngCollector = new YoungCollector();
  readonly #bodies = new BodyRoom();
  /** Null where it is not asked for. */
  readonly #awake: AwakeProcessors | null;
  readonly #streamSlots = new StreamSlots();
  readonly #consumers: ConsumerService;
  readonly #schemas: SchemaService;
  readonly #upcasters: UpcasterService;
  readonly #upcastThread = new UpcastThread();
  readonly #upcasts: Upcasts;
  readonly #schemaGate: SchemaGate;
  readonly #verifications: VerificationRuns;
  readonly #head: HeadAnswer;
  /** The query service; null where core does not know one. */
  readonly #query: Upstream | null;
  /** Set when core begins to stop: readiness fails first, and appends are refused. */
  #closing: Problem | null = null;

  constructor(options: CoreOptions) {
    const { config, parts, logger } = options;
    const { directory, journal } = parts;
    this.#options = options;
    this.#awake = awakeProcessorsOf(config, logger);
    this.#query = config.queryUrl === null ? null : new Upstream('query', config.queryUrl);
    this.#resolveTenant = (principal, requested) => resolveTenant(principal, requested, directory);
    this.#guard = createGuard({
      authenticator: new Authenticator({
        directory,
        jwtSecret: config.jwtSecret,
        devTenant: config.devMode ? config.bootstrapTenant : null,
        nowMs: Date.now,
      }),
      internalToken: obtainInternalToken(config),
    });
    this.#authenticate = (request): Principal => must(this.#guard(request, 'read'), 'a principal');
    this.#head = new HeadAnswer(journal, parts.headPost);
    this.#verifications = new VerificationRuns({
      folder: config.storage === 'file' ? config.folder : null,
      head: () => journal.head,
    });
    const schemas = { fold: parts.schemas, compiled: new CompiledSchemas() };
    const { functions } = this.#upcastThread;
    const changing = { ...schemas, appender: journal, turns: new ChangeTurns(), functions };
    this.#schemas = new SchemaService({
      ...changing,
      hasTenant: (tenantId) => directory.hasTenant(tenantId),
    });
    this.#upcasters = new UpcasterService(changing);
    this.#upcasts = new Upcasts({ ...schemas, functions });
    this.#schemaGate = new SchemaGate({ ...schemas, counts: parts.metrics });
    this.#consumers = new ConsumerService({
      fold: parts.consumers,
      appender: journal,
      log: journal,
    });
  }

  async start(): Promise<CoreService> {
    const { config, parts } = this.#options;
    const { createdKeyFile } = await bootstrapAccess({
      directory: parts.directory,
      appender: parts.journal,
      tenant: config.bootstrapTenant,
      apiKey: config.bootstrapApiKey,
      keyFile: config.apiKeyFile,
    });
    const routes = withApiDocument({
      title: 'AllSource core',
      description:
        "The writer of the event store: appends, the history of single entities, live streams, consumers, schemas, tenants and keys. Reads over many entities are the query service's, and core forwards them where it knows one.",
      version: VERSION,
      edge: 'core',
      routes: this.#routes(),
      servedInFront: INGEST_ROUTES,
      docs: CORE_DOCS,
    });
    const app = this.#app(routes);
    const { server, lane } = this.#server(app);
    const port = await listen(server, {
      host: config.host,
      port: config.corePort,
      portSetting: 'CORE_PORT',
    });
    const url = `http://${config.host}:${port}`;
    return { url, port, app, routes, createdKeyFile, close: () => this.#close(server, lane) };
  }

  #routes(): Route[] {
    const { config, logger, httpMetrics, parts } = this.#options;
    const { journal, directory, feed, connections, metrics, storageBytes } = parts;
    const frames = new FrameReader(journal);
    const forward = this.#forward();
    const states = {
      fold: parts.states,
      appender: journal,
      frames,
      stateBytesMax: config.stateBytesMax,
    };
    return coreRoutes({
      health: {
        service: 'allsource-core',
        version: VERSION,
        checks: this.#readinessChecks(),
        extra: () => ({ role: 'leader', head_position: journal.head }),
      },
      stats: {
        entities: journal.entities,
        log: journal,
        registry: httpMetrics.registry,
        storageBytes,
        schemaCount: (tenant) => parts.schemas.schemaCount(tenant),
        ingestRatePerSecond: () => metrics.ingestRatePerSecond(),
      },
      access: {
        directory,
        admin: new AccessAdmin({ directory, appender: journal, clock: systemClock }),
        enforcementOf: (tenantId) => this.#schemas.enforcement(tenantId),
      },
      feed: { feed, head: this.#head },
      arrow: { ...this.#appends(), hasTenant: (tenantId) => directory.hasTenant(tenantId) },
      appends: this.#appendRoute(),
      consumers: this.#consumers,
      schemas: this.#schemas,
      upcasters: this.#upcasters,
      definitions: new DefinitionService({
        fold: parts.definitions,
        appender: journal,
        hasTenant: (tenantId) => directory.hasTenant(tenantId),
        hasSavedStates: (tenant, name) => parts.states.count(tenant, name) > 0,
        countMax: { projection: config.projectionsMax, pipeline: config.pipelinesMax },
      }),
      verifications: this.#verifications,
      states: {
        states: new ProjectionStateService(states),
        bodyBytesMax: config.bodyBytesMax,
        isComputed: ({ tenant, projection: name }) =>
          parts.definitions.changedPosition({ tenant, kind: 'projection', name }) > 0,
        forward,
      },
      sse: {
        log: journal,
        upcasts: this.#upcasts,
        connections,
        authenticate: this.#authenticate,
        logger,
      },
      events: {
        log: journal,
        frames,
        entities: new EntityReader({ frames, entities: journal.entities }),
        forward,
      },
      forward,
    });
  }

  #forward(): QueryForward {
    const { config, logger, parts } = this.#options;
    if (this.#query === null) return forwardToQuery(null);
    const forwarder = new Forwarder({
      name: 'core',
      translateError: coreErrorBody,
      bodyBytesMax: config.bodyBytesMax,
      live: null,
      logger,
      onOutcome: (upstream, outcome) => parts.metrics.countForwarded(upstream, outcome),
    });
    return forwardToQuery({ forwarder, query: this.#query });
  }

  #app(routes: readonly Route[]): Express {
    const { logger, httpMetrics } = this.#options;
    const shared = { guard: this.#guard, resolveTenant: this.#resolveTenant, logger };
    return createApp({
      ...shared,
      edge: 'core',
      routes,
      servedInFront: INGEST_ROUTES,
      metrics: httpMetrics,
    });
  }

  #appendRoute(): AppendRoute {
    const guards = { guard: this.#guard, resolveTenant: this.#resolveTenant };
    return new AppendRoute({ ...this.#appends(), ...guards });
  }

  /** What every way to append rests on. */
  #appends() {
    const { config, logger, parts } = this.#options;
    const { journal, metrics } = parts;
    return {
      journal,
      metrics,
      logger,
      clock: systemClock,
      limits: config,
      youngCollector: this.#youngCollector,
      bodies: this.#bodies,
      streams: this.#streamSlots,
      schemas: this.#schemaGate,
      closedFor: () => this.#closing,
    };
  }

  #server(app: Express): { readonly server: Server; readonly lane: ConnectionLane } {
    const { config, logger, httpMetrics, parts } = this.#options;
    const appends = { ...this.#appends(), guard: this.#guard, resolveTenant: this.#resolveTenant };
    const route = this.#appendRoute();
    const ingest = new IngestHandler(route, httpMetrics);
    const lines = new NdjsonHandler({ ...appends, httpMetrics });
    const streams = new StreamSocket({
      log: parts.journal,
      upcasts: this.#upcasts,
      consumers: this.#consumers,
      consumerFold: parts.consumers,
      connections: parts.connections,
      authenticate: this.#authenticate,
      resolveTenant: this.#resolveTenant,
      emptyBearerStreams: config.emptyBearerStreams,
      logger,
    });
    const server = createHttpServer(
      { edge: 'core', highWaterMark: REQUEST_BUFFER_BYTES, onWebSocket: streams.handle },
      (request, response) => {
        if (lines.handle(request, response) || ingest.handle(request, response)) return;
        app(request, response);
      },
    );
    const lane = openAppendLane({
      server,
      route,
      headQuestions: new HeadQuestions({
        guard: this.#guard,
        answer: () => this.#head.text,
      }),
      httpMetrics,
      busyPollMs: config.busyPollMicros / 1000,
      onSoon: (atMs) => this.#awake?.need(atMs),
    });
    return { server, lane };
  }

  #readinessChecks(): ReadinessCheck[] {
    const { journal } = this.#options.parts;
    return [
      { name: 'accepting', fault: () => this.#closing?.message ?? null },
      {
        name: 'writer',
        fault: () =>
          journal.poison === null
            ? null
            : `the writer has stopped after a disk error (${journal.poison.message}); restart core, which verifies the log first`,
      },
      {
        name: 'space',
        fault: () =>
          journal.fullCause === null
            ? null
            : `the disk is full (${journal.fullCause.message}); free some space`,
      },
    ];
  }

  async #close(server: Server, lane: ConnectionLane): Promise<void> {
    const { config, parts, releaseLock } = this.#options;
    this.#closing = problem(
      'shutting_down',
      'Core is shutting down and takes no appends. Try again in a moment.',
    );
    this.#verifications.close();
    await Promise.all([parts.feed.close(), parts.connections.close(), parts.fanOut?.close()]);
    const { shutdownGraceMs } = config;
    await Promise.all([closeServer(server, shutdownGraceMs), lane.close(shutdownGraceMs)]);
    this.#awake?.close();
    this.#query?.close();
    await this.#upcastThread.close();
    await parts.checkpointer?.close();
    await parts.journal.close();
    parts.headPost?.close();
    await releaseLock();
  }
}
