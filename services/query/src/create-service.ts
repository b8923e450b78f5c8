/**
 * The composition root of the query service: it opens the read stores, begins to follow core, and puts the routes in front. The start does not
 * wait for core: the service listens at once and says with /readyz what it waits for. The stop: readiness fails, live connections end,
 * running requests finish, the followers stop, the stores are closed, the lock goes.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Authenticator, resolveTenant } from '@allsource/shared/access';
import { must } from '@allsource/shared/lang';
import { systemClock } from '@allsource/shared/model';
import { UpcastThread } from '@allsource/schemas/functions';
import { CompiledSchemas } from '@allsource/schemas/registry';
import { Upcasts } from '@allsource/schemas/upcasting';
import { FreshAccess } from '@allsource/service-kit/access';
import {
  Forwarder,
  gatewayErrorBody,
  LiveConnections,
  Upstream,
} from '@allsource/service-kit/forward';
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
  sendProblem,
  toProblem,
  type WebSocketListener,
} from '@allsource/service-kit/http';
import { lockFolder, type RunningService } from '@allsource/service-kit/lifecycle';
import { type AwakeProcessors, awakeProcessorsOf } from '@allsource/service-kit/processes';
import { createLogger, HttpMetrics, type Logger } from '@allsource/service-kit/observability';
import { withApiDocument } from '@allsource/service-kit/openapi';
import { QUERY_DOCS } from '@allsource/shared/openapi';
import type { QueryConfig } from './config/query-config.ts';
import { DefinitionWriter } from './definitions/definition-writer.ts';
import type { EventRoute } from './http/event-routes.ts';
import { openReadLane } from './http/read-lane/read-lane.ts';
import { UpgradeProxy } from './gateway/upgrade-proxy.ts';
import { projectionTotals, watchProjections } from './observability/projection-metrics.ts';
import { watchPipelines } from './observability/pipeline-metrics.ts';
import { QueryMetrics } from './observability/query-metrics.ts';
import { TenantRates } from './observability/tenant-rates.ts';
import { createParquet, type KeptParquet } from './parquet/create-parquet.ts';
import { BUILT_IN_PROJECTIONS, builtInProjection } from './projections/built-in.ts';
import { DefinitionCheck } from './own-projections/definition-check.ts';
import { LateRuntime } from './own-projections/late-runtime.ts';
import { openOwnReplays } from './own-projections/open-own-replays.ts';
import { OwnProjections } from './own-projections/own-projections.ts';
import type { OwnReplays } from './own-projections/own-replays.ts';
import type { ProjectionRuntime } from './projections/projection-runtime.ts';
import { ProjectionRuns } from './projections/runtime/projection-runs.ts';
import { timeBehindMs } from './projections/time-behind.ts';
import { createPipelines, type KeptPipelines } from './pipelines/create-pipelines.ts';
import { queryRoutes, type QueryRoutesOptions, readLaneRoutes } from './query-routes.ts';
import { ReadStores } from './read-stores.ts';
import { pageKernel } from './reads/page-kernel/load-page-kernel.ts';
import { ReadGate } from './reads/read-gate.ts';
import { Upcasting } from './schemas/upcasting.ts';

const VERSION = '0.1.0';
/** Where clients look for the API document, besides /openapi.json and /docs. */
const API_DOCUMENT_ALIASES = {
  document: ['/api/v1/openapi', '/api/openapi'],
  page: ['/api/v1/docs', '/api/docs'],
};

/** The query service, running. */
export interface QueryService extends RunningService {
  readonly port: number;
  /** The Express application and the routes it was made from, for the test that compares the two. */
  readonly app: unknown;
  readonly routes: readonly Route[];
}

/** Parts that a test puts in the place of others. */
export interface QueryServiceParts {
  readonly projectionRuntime?: ProjectionRuntime;
}

/** Starts the query service. Throws a ConfigError that says why it cannot start. */
export async function createQueryService(
  config: QueryConfig,
  { projectionRuntime }: QueryServiceParts = {},
): Promise<QueryService> {
  const lock = await lockFolder(config.folder, 'query');
  try {
    const logger = createLogger('query', config.logLevel);
    if (pageKernel() === null)
      logger.warn('the page kernel is not built (npm run build); pages of events take longer');
    const httpMetrics = new HttpMetrics('allsource_query');
    const metrics = new QueryMetrics(httpMetrics.registry);
    const ingestRates = new TenantRates();
    const stores = await ReadStores.open({
      config,
      logger,
      onSnapshotKept: (kind) => metrics.countSnapshot(kind),
      onFolded: ({ frames, eventCount, durationMs }) => {
        metrics.countFolded(eventCount, durationMs);
        for (const { tenant, eventCount: count, recordedAt, isSystem } of frames)
          if (!isSystem) ingestRates.add(tenant, count, recordedAt / 1000);
      },
      onReplayStep: (step) => metrics.countReplay(step),
    });
    const releaseLock = () => lock.release();
    const { registry } = httpMetrics;
    const appliedPosition = () => stores.history.appliedPosition;
    const parquet = createParquet({ config, logger, registry, appliedPosition });
    const parts = {
      config,
      logger,
      httpMetrics,
      metrics,
      ingestRates,
      stores,
      parquet,
      projectionRuntime:
        projectionRuntime ?? new LateRuntime(() => openProjectionRuns({ config, logger, stores })),
      releaseLock,
    };
    return await new Query(parts).start();
  } catch (error) {
    await lock.release();
    throw error;
  }
}

function openProjectionRuns({
  config,
  logger,
  stores,
}: Pick<QueryOptions, 'config' | 'logger' | 'stores'>): ProjectionRuntime {
  const { coreUrl, folder, projectionHosts } = config;
  const { historyFollower, history } = stores;
  return new ProjectionRuns({
    folder: join(folder, 'projections'),
    core: { coreUrl, internalToken: must(stores.internalToken, 'definitions come from core') },
    hosts: projectionHosts,
    head: () => historyFollower.status.knownHead,
    behindMs: (position, nowMs) => timeBehindMs(history, position, nowMs),
    logger,
  });
}

interface QueryOptions {
  readonly config: QueryConfig;
  readonly logger: Logger;
  readonly httpMetrics: HttpMetrics;
  readonly metrics: QueryMetrics;
  readonly ingestRates: TenantRates;
  readonly stores: ReadStores;
  readonly parquet: KeptParquet;
  readonly projectionRuntime: ProjectionRuntime;
  readonly releaseLock: () => Promise<void>;
}

class Query {
  readonly #options: QueryOptions;
  readonly #authenticator: Authenticator;
  readonly #guard: Guard;
  readonly #live = new LiveConnections();
  readonly #queryRates = new TenantRates();
  readonly #core: Upstream;
  readonly #controlPlane: Upstream | null;
  readonly #awake: AwakeProcessors | null;
  readonly #upcastThread = new UpcastThread();
  readonly #definitionWriter: DefinitionWriter;
  readonly #definitionCheck = new DefinitionCheck();
  readonly #ownProjections: OwnProjections;
  readonly #ownReplays: OwnReplays;
  readonly #pipelines: KeptPipelines;
  /** Set when the service begins to stop; readiness fails first. */
  #isClosing = false;

  constructor(options: QueryOptions) {
    const { config, logger, stores, metrics } = options;
    this.#options = options;
    this.#core = new Upstream('core', config.coreUrl);
    this.#awake = awakeProcessorsOf(config, logger);
    this.#controlPlane =
      config.controlPlaneUrl === null
        ? null
        : new Upstream('control-plane', config.controlPlaneUrl);
    this.#definitionWriter = new DefinitionWriter({
      core: this.#core,
      internalToken: () => stores.internalToken,
      follower: stores.accessFollower,
    });
    this.#ownProjections = new OwnProjections({
      directory: stores.definitions,
      isSettled: () => stores.settledDefinitions.isSettled,
      writer: this.#definitionWriter,
      runtime: options.projectionRuntime,
      check: (definition) => this.#definitionCheck.check(definition),
      onUnknownForm: ({ tenant, name }) =>
        options.logger.error(
          { tenant, projection: name },
          'a projection is not carried out: another version of AllSource has written its definition in a form that this one does not know',
        ),
    });
    stores.settledDefinitions.onSettled(() => this.#ownProjections.reconcile());
    this.#ownReplays = openOwnReplays({ config, logger, stores, own: this.#ownProjections });
    this.#pipelines = createPipelines({
      ...options,
      writer: this.#definitionWriter,
      projectionState: projectionStates(stores, options.projectionRuntime),
    });
    watchPipelines(options.httpMetrics.registry, () => this.#pipelines.pipelines.measured());
    this.#authenticator = new Authenticator({
      directory: stores.access.directory,
      jwtSecret: config.jwtSecret,
      devTenant: config.devMode ? config.bootstrapTenant : null,
      nowMs: () => systemClock.nowMicros() / 1000,
    });
    this.#guard = createGuard({ authenticator: this.#authenticator, internalToken: null });
    metrics.watch({
      stores: stores.followed,
      liveConnections: () => this.#live.count,
      projectionCount: () => BUILT_IN_PROJECTIONS.length + this.#ownProjections.count(null),
    });
    watchProjections(options.httpMetrics.registry, () => this.#ownProjections.measured());
  }

  async start(): Promise<QueryService> {
    const { config, logger, stores, httpMetrics } = this.#options;
    const { directory } = stores.access;
    const routesOptions = this.#routesOptions();
    const routes = withApiDocument({
      title: 'AllSource query service',
      description:
        'The gateway of the event store: it answers every read, and hands appends, consumers, schemas, tenants and keys to core and operations to the control plane. Each route is found below /api/v1 and, for older clients, below /api.',
      version: VERSION,
      edge: 'gateway',
      routes: queryRoutes(routesOptions),
      docs: QUERY_DOCS,
      aliases: API_DOCUMENT_ALIASES,
    });
    const app = createApp({
      edge: 'gateway',
      routes,
      guard: this.#guard,
      resolveTenant: (principal, requested) => resolveTenant(principal, requested, directory),
      logger,
      metrics: httpMetrics,
    });
    const server = this.#server(app, routes);
    const lane = this.#lane(server, readLaneRoutes(routesOptions));
    const portSetting = 'QUERY_PORT';
    const port = await listen(server, { host: config.host, port: config.queryPort, portSetting });
    stores.start();
    await this.#options.parquet.parquet?.start();
    const url = `http://${config.host}:${port}`;
    return { url, port, app, routes, close: () => this.#close(server, lane) };
  }

  #routesOptions(): QueryRoutesOptions {
    const { stores, parquet, config, logger, httpMetrics, metrics, ingestRates } = this.#options;
    const waitMs = config.readWaitMs;
    const { history, historyFollower, projections, projectionFollower } = stores;
    const { access, accessFollower, schemas } = stores;
    const { functions } = this.#upcastThread;
    const schemaGate = new ReadGate({ follower: accessFollower, store: access, waitMs });
    const upcasts = new Upcasts({ fold: schemas, compiled: new CompiledSchemas(), functions });
    return {
      health: {
        service: 'allsource-query',
        version: VERSION,
        checks: this.#readinessChecks(),
        readyDetails: () => ({ projections: projectionTotals(this.#ownProjections.measured()) }),
      },
      stores,
      parquet,
      historyGate: new ReadGate({ follower: historyFollower, store: history, waitMs }),
      schemaGate,
      upcasting: new Upcasting({ upcasts, gate: schemaGate }),
      projectionGate: new ReadGate({
        follower: projectionFollower,
        store: projections,
        waitMs,
      }),
      limits: { rowsMax: config.queryRowsMax, msMax: config.queryMsMax },
      clock: systemClock,
      metrics,
      registry: httpMetrics.registry,
      ingestRates,
      queryRates: this.#queryRates,
      forwarder: new Forwarder({
        name: 'gateway',
        translateError: gatewayErrorBody,
        bodyBytesMax: config.bodyBytesMax,
        live: this.#live,
        logger,
        onOutcome: (upstream, outcome) => metrics.countForwarded(upstream, outcome),
      }),
      core: this.#core,
      controlPlane: this.#controlPlane,
      definitionWriter: this.#definitionWriter,
      ownProjections: this.#ownProjections,
      ownReplays: this.#ownReplays,
      pipelines: this.#pipelines,
      pipelineWaitMs: waitMs,
      live: this.#live,
      guard: this.#guard,
    };
  }

  #lane(server: Server, routes: readonly EventRoute[]): ConnectionLane {
    const { config, stores, httpMetrics, metrics } = this.#options;
    const { directory } = stores.access;
    return openReadLane({
      server,
      busyPollMs: config.busyPollMicros / 1000,
      onSoon: (atMs) => this.#awake?.need(atMs),
      routes,
      authenticator: this.#authenticator,
      resolveTenant: (principal, requested) => resolveTenant(principal, requested, directory),
      onAnswered: ({ route, principal, status, durationMs }) => {
        httpMetrics.count({ method: 'GET', route, status, durationMs });
        if (status !== 200) return;
        metrics.countQuery(route, durationMs);
        this.#queryRates.add(principal.tenantId, 1, systemClock.nowMicros() / 1000);
      },
    });
  }

  #server(
    app: (request: IncomingMessage, response: ServerResponse) => void,
    routes: readonly Route[],
  ): Server {
    const { stores, logger } = this.#options;
    const access = new FreshAccess({
      authenticator: this.#authenticator,
      directory: stores.access.directory,
      follower: stores.accessFollower,
    });
    const publicPaths = new Set(
      routes.filter(({ needs }) => needs === 'public').map(({ path }) => path),
    );
    const upgrades = new UpgradeProxy({ core: this.#core, live: this.#live, logger });
    const onWebSocket: WebSocketListener = (request, socket, head) =>
      upgrades.handle(request, socket, head);
    return createHttpServer({ edge: 'gateway', onWebSocket }, (request, response) => {
      if (publicPaths.has(pathOf(request)) || access.isDecidable(request)) app(request, response);
      else void serveRefreshed({ access, request, response, app });
    });
  }

  #readinessChecks(): ReadinessCheck[] {
    const stopping = () => (this.#isClosing ? 'the service is shutting down' : null);
    return [{ name: 'accepting', fault: stopping }, ...this.#options.stores.readinessChecks()];
  }

  async #close(server: Server, lane: ConnectionLane): Promise<void> {
    const { config, stores, parquet, projectionRuntime, releaseLock } = this.#options;
    this.#isClosing = true;
    this.#live.close();
    // Whoever waits for a job on the files is told, so that the server need not wait for it.
    await parquet.parquet?.close();
    const { shutdownGraceMs } = config;
    await Promise.all([closeServer(server, shutdownGraceMs), lane.close(shutdownGraceMs)]);
    await this.#pipelines.close();
    this.#ownReplays.close();
    await stores.close();
    await this.#upcastThread.close();
    await projectionRuntime.close();
    await this.#definitionCheck.close();
    this.#core.close();
    this.#controlPlane?.close();
    this.#awake?.close();
    await releaseLock();
  }
}

interface Refreshed {
  readonly access: FreshAccess;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly app: (request: IncomingMessage, response: ServerResponse) => void;
}

async function serveRefreshed({ access, request, response, app }: Refreshed): Promise<void> {
  try {
    await access.refresh();
  } catch (error) {
    const context = { instance: pathOf(request) };
    sendProblem(response, toProblem(error), { edge: 'gateway', context });
    return;
  }
  app(request, response);
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '').split('?', 1)[0] ?? '';
}

/** The states of projections, those of the store itself and those of tenants, as pipelines look them up. */
function projectionStates(stores: ReadStores, runtime: ProjectionRuntime) {
  return async (tenant: string, name: string, key: string): Promise<string | null> => {
    const builtIn = builtInProjection(name);
    if (builtIn === null) return runtime.read(tenant, name, key).state;
    const { projections } = stores;
    const stored = await projections.whole(() => projections.state(builtIn, tenant, key));
    return stored?.state ?? null;
  };
}
