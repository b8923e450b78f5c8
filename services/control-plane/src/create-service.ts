/**
 * The composition root of the control plane. It keeps nothing of its own: who may do what is folded from the system events of core's log, and every
 * change goes to its owner, core or the query service. So it can be stopped, lost and started anywhere.
 */
import type { RequestListener } from 'node:http';
import { Authenticator, resolveTenant } from '@allsource/shared/access';
import { AccessSink, FreshAccess } from '@allsource/service-kit/access';
import { awaitInternalToken } from '@allsource/service-kit/config';
import { createLogFollower, type LogFollower } from '@allsource/service-kit/feed';
import {
  closeServer,
  createApp,
  createGuard,
  createHttpServer,
  healthRoutes,
  listen,
  type ReadinessCheck,
  type Route,
} from '@allsource/service-kit/http';
import { type FolderLock, lockFolder, type RunningService } from '@allsource/service-kit/lifecycle';
import { createLogger, HttpMetrics } from '@allsource/service-kit/observability';
import { withApiDocument } from '@allsource/service-kit/openapi';
import { CONTROL_PLANE_DOCS } from '@allsource/shared/openapi';
import { Cluster } from './cluster/cluster.ts';
import type { ControlPlaneConfig } from './config/control-plane-config.ts';
import { clusterRoutes } from './http/cluster-routes.ts';
import { coreHealthRoutes } from './http/core-health-routes.ts';
import { freshAccessGate } from './http/fresh-access-gate.ts';
import { metricsRoutes } from './http/metrics-routes.ts';
import { operationRoutes } from './http/operation-routes.ts';
import { compactionOperationRoutes } from './http/compaction-operation-routes.ts';
import { replayOperationRoutes } from './http/replay-operation-routes.ts';
import { snapshotOperationRoutes } from './http/snapshot-operation-routes.ts';
import { apiKeyRoutes, tenantRoutes } from './http/tenant-routes.ts';
import { unavailableRoutes } from './http/unavailable-routes.ts';
import { ControlPlaneMetrics } from './observability/control-plane-metrics.ts';
import { ServiceClient } from './upstream/service-client.ts';

const VERSION = '0.1.0';
/** How long a start waits for core to make the internal token. */
const TOKEN_WAIT_MS = 60_000;

/** The control plane, running. */
export interface ControlPlaneService extends RunningService {
  readonly port: number;
  /** The Express application and the routes it was made of, for the test that compares them. */
  readonly app: RequestListener;
  readonly routes: readonly Route[];
}

/** Starts the control plane. Throws a ConfigError or a problem that says why it cannot start. */
export async function createControlPlaneService(
  config: ControlPlaneConfig,
): Promise<ControlPlaneService> {
  const lock = await lockFolder(config.folder, 'control-plane');
  try {
    const internalToken = await awaitInternalToken(config, TOKEN_WAIT_MS);
    return await new ControlPlane(config, internalToken, lock).start();
  } catch (error) {
    await lock.release();
    throw error;
  }
}

class ControlPlane {
  readonly #config: ControlPlaneConfig;
  readonly #internalToken: string;
  readonly #lock: FolderLock;
  readonly #sink = new AccessSink();
  readonly #httpMetrics = new HttpMetrics('control_plane');
  readonly #logger;
  readonly #follower: LogFollower;
  readonly #authenticator: Authenticator;
  #url = '';
  #isClosing = false;

  constructor(config: ControlPlaneConfig, internalToken: string, lock: FolderLock) {
    this.#config = config;
    this.#internalToken = internalToken;
    this.#lock = lock;
    this.#logger = createLogger('control-plane', config.logLevel);
    this.#follower = createLogFollower({
      coreUrl: config.coreUrl,
      internalToken,
      sink: this.#sink,
      only: 'system',
      logger: this.#logger,
    });
    this.#authenticator = new Authenticator({
      directory: this.#sink.directory,
      jwtSecret: config.jwtSecret,
      devTenant: config.devMode ? config.bootstrapTenant : null,
      nowMs: Date.now,
    });
  }

  async start(): Promise<ControlPlaneService> {
    const { host, controlPlanePort } = this.#config;
    const routes = withApiDocument({
      title: 'AllSource control plane',
      description:
        'For operators of the event store: the state of its services, tenants and keys, snapshots, replays and compaction. It keeps nothing; each order goes to its owner under the key of the caller.',
      version: VERSION,
      edge: 'control-plane',
      routes: this.#routes(),
      docs: CONTROL_PLANE_DOCS,
    });
    const app = this.#app(routes);
    const access = new FreshAccess({
      authenticator: this.#authenticator,
      directory: this.#sink.directory,
      follower: this.#follower,
    });
    const server = createHttpServer(
      { edge: 'control-plane' },
      freshAccessGate({ access, routes, next: app }),
    );
    const port = await listen(server, {
      host,
      port: controlPlanePort,
      portSetting: 'CONTROL_PLANE_PORT',
    });
    this.#url = `http://${host}:${port}`;
    this.#follower.start();
    const close = async () => {
      this.#isClosing = true;
      await closeServer(server, this.#config.shutdownGraceMs);
      await this.#follower.close();
      await this.#lock.release();
    };
    return { url: this.#url, port, app, routes, close };
  }

  #app(routes: readonly Route[]): RequestListener {
    const { directory } = this.#sink;
    return createApp({
      edge: 'control-plane',
      routes,
      guard: createGuard({ authenticator: this.#authenticator, internalToken: null }),
      resolveTenant: (principal, requested) => resolveTenant(principal, requested, directory),
      logger: this.#logger,
      metrics: this.#httpMetrics,
    });
  }

  #routes(): Route[] {
    const core = new ServiceClient('core', this.#config.coreUrl);
    const { queryUrl } = this.#config;
    const query = queryUrl === null ? null : new ServiceClient('query', queryUrl);
    const metrics = new ControlPlaneMetrics(this.#httpMetrics);
    const cluster = new Cluster({
      core,
      query,
      internalToken: this.#internalToken,
      version: VERSION,
      ownUrl: () => this.#url,
      follower: () => this.#follower.status,
      nowMs: Date.now,
    });
    return [
      ...healthRoutes({
        service: 'allsource-control-plane',
        version: VERSION,
        checks: this.#readinessChecks(),
      }),
      ...coreHealthRoutes({ core, metrics }),
      ...metricsRoutes({ core, registry: this.#httpMetrics.registry }),
      ...clusterRoutes({ cluster, version: VERSION }),
      ...operationRoutes({ query, metrics }),
      ...replayOperationRoutes(query),
      ...snapshotOperationRoutes(query),
      ...compactionOperationRoutes(query),
      ...tenantRoutes(core),
      ...apiKeyRoutes(core),
      ...unavailableRoutes(),
    ];
  }

  #readinessChecks(): ReadinessCheck[] {
    return [
      {
        name: 'accepting',
        fault: () => (this.#isClosing ? 'the control plane is shutting down' : null),
      },
      {
        name: 'access',
        fault: () => {
          const { hasCaughtUp, fault } = this.#follower.status;
          return hasCaughtUp ? null : (fault ?? 'the keys are still being read from core');
        },
      },
    ];
  }
}
