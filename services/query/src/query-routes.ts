import type { Clock } from '@allsource/shared/model';
import type { Forwarder, LiveConnections, Upstream } from '@allsource/service-kit/forward';
import {
  type Guard,
  type Call,
  type HealthOptions,
  healthRoutes,
  type Route,
} from '@allsource/service-kit/http';
import type { Registry } from 'prom-client';
import type { DefinitionWriter } from './definitions/definition-writer.ts';
import { forwardedRoutes, forwardVersioned } from './gateway/forwarded-routes.ts';
import { unavailableRoutes } from './gateway/unavailable-routes.ts';
import { analyticsRoutes } from './http/analytics-routes.ts';
import { catalogRoutes } from './http/catalog-routes.ts';
import { countedReads } from './http/counted-reads.ts';
import { entityRoutes } from './http/entity-routes.ts';
import { queryDocumentRoutes } from './http/query-document-routes.ts';
import { entitySnapshotRoutes } from './http/entity-snapshot-routes.ts';
import { type EventRoute, eventRoutes } from './http/event-routes.ts';
import { withEventStreams } from './http/event-stream-routes.ts';
import { parquetRoutes, type ParquetRoutesOptions } from './http/parquet-routes.ts';
import { pipelineResultsRoutes } from './http/pipeline-results-routes.ts';
import { pipelineRoutes } from './http/pipeline-routes.ts';
import type { BuiltInProgress } from './http/built-in-projection-json.ts';
import { ownProjectionRoutes } from './http/own-projection-routes.ts';
import { projectionRoutes } from './http/projection-routes.ts';
import { replayBuiltIn, replayRoutes } from './http/replay-routes.ts';
import { schemaEvolutionRoutes } from './http/schema-evolution-routes.ts';
import { snapshotRoutes } from './http/snapshot-routes.ts';
import { statsRoutes } from './http/stats-routes.ts';
import { eventsToFold, type OwnProjections } from './own-projections/own-projections.ts';
import type { OwnReplays } from './own-projections/own-replays.ts';
import { OwnReads } from './own-projections/own-reads.ts';
import { timeBehindMs } from './projections/time-behind.ts';
import type { ForcedPipeline } from './pipelines/pipeline-runtime.ts';
import type { KeptPipelines } from './pipelines/create-pipelines.ts';
import type { QueryMetrics } from './observability/query-metrics.ts';
import type { TenantRates } from './observability/tenant-rates.ts';
import type { ReadStores } from './read-stores.ts';
import type { QueryLimits } from './reads/query-budget.ts';
import type { ReadGate } from './reads/read-gate.ts';
import type { Upcasting } from './schemas/upcasting.ts';

export interface QueryRoutesOptions {
  readonly health: HealthOptions;
  readonly stores: ReadStores;
  /** The gate of reads of the event history, and that of reads of the projections. */
  readonly historyGate: ReadGate;
  readonly projectionGate: ReadGate;
  /** The gate of reads of the schemas. */
  readonly schemaGate: ReadGate;
  readonly upcasting: Upcasting;
  /** What one query may cost. */
  readonly limits: QueryLimits;
  readonly parquet: ParquetRoutesOptions;
  readonly clock: Clock;
  readonly metrics: QueryMetrics;
  readonly registry: Registry;
  readonly ingestRates: TenantRates;
  readonly queryRates: TenantRates;
  readonly forwarder: Forwarder;
  readonly core: Upstream;
  readonly controlPlane: Upstream | null;
  /** Has definitions of projections and pipelines kept by core. */
  readonly definitionWriter: DefinitionWriter;
  readonly ownProjections: OwnProjections;
  readonly ownReplays: OwnReplays;
  readonly pipelines: KeptPipelines;
  /** How long a read waits for a pipeline. */
  readonly pipelineWaitMs: number;
  /** Connections that stay open. */
  readonly live: LiveConnections;
  readonly guard: Guard;
}

/** Where /livez, /readyz and /health are also found. */
const HEALTH_ALIASES: Readonly<Record<string, readonly string[]>> = {
  '/livez': ['/api/health/live'],
  '/readyz': ['/api/health/ready'],
  '/health': ['/api/health', '/api/v1/health'],
};

/** All routes of the gateway in the order of their registration: fixed paths before paths with parameters. */
export function queryRoutes(options: QueryRoutesOptions): Route[] {
  const { stores, historyGate, projectionGate, queryRates, clock, forwarder, core } = options;
  const { history, catalog, projections, snapshotting } = stores;
  const ofHistory = { history, catalog, gate: historyGate, limits: options.limits };
  const upcast = { ...ofHistory, upcasting: options.upcasting };
  const ofProjections = { projections, gate: projectionGate };
  const own = options.ownProjections;
  const toFold = (tenant: string, types: readonly string[]) =>
    eventsToFold(catalog.tenant(tenant), types);
  const { ownReplays } = options;
  const ofReplays = { ...ofHistory, replays: stores.replays, own, ownReplays, clock };
  const reads = [
    ...withEventStreams(eventRoutes({ ...upcast, answers: stores.answers }), upcast),
    ...queryDocumentRoutes({ ...upcast, answers: stores.answers }),
    ...entityRoutes({ ...upcast, snapshots: snapshotting.snapshots }),
    ...snapshotRoutes({ ...ofHistory, snapshots: snapshotting.snapshots, runs: snapshotting.runs }),
    ...catalogRoutes(ofHistory),
    ...analyticsRoutes({ ...ofHistory, clock, answers: stores.answers }),
    ...entitySnapshotRoutes(ofProjections),
    ...parquetRoutes(options.parquet),
    ...schemaEvolutionRoutes({ schemas: stores.schemas, gate: options.schemaGate }),
    ...statsRoutes({
      ...options,
      ...ofHistory,
      projections,
      ownProjectionCount: (tenant) => own.count(tenant),
    }),
    ...replayRoutes(ofReplays),
    ...routesOfPipelines(options),
    ...ownProjectionRoutes({
      own,
      replayBuiltIn: (call, name) => replayBuiltIn(call, name, ofReplays),
      eventsToFold: toFold,
    }),
    ...projectionRoutes({
      ...ofProjections,
      own,
      ownReads: new OwnReads({ runtime: own.runtime, gate: historyGate }),
      builtInProgress: () => builtInProgress(stores, clock.nowMicros() / 1_000),
      toCore: (call) => forwardVersioned(forwarder, call, { upstream: core }),
    }),
  ];
  return [
    ...withAliases(healthRoutes(options.health)),
    ...forwardedRoutes(options),
    ...countedReads(reads, { metrics: options.metrics, rates: queryRates, clock }),
    ...unavailableRoutes(),
  ];
}

function routesOfPipelines(options: QueryRoutesOptions): Route[] {
  const { stores, live, guard, pipelineWaitMs: waitMs } = options;
  const { pipelines, runtime, results } = options.pipelines;
  const reads = {
    runtime,
    follower: stores.accessFollower,
    waitMs,
    savedPosition: (pipeline: ForcedPipeline) =>
      results.progress(pipelines.fileOf(pipeline))?.position ?? 0,
  };
  const requireReader = ({ request }: Call) => void guard(request, 'read');
  return [
    ...pipelineRoutes({ pipelines, reads }),
    ...pipelineResultsRoutes({ pipelines, results, reads, live, requireReader }),
  ];
}

function builtInProgress(stores: ReadStores, nowMs: number): BuiltInProgress {
  const { hasCaughtUp, knownHead, fault } = stores.projectionFollower.status;
  const position = stores.projections.appliedPosition;
  const behindMs = timeBehindMs(stores.history, position, nowMs);
  const createdMs = stores.projectionsCreatedMs;
  return { position, knownHead, hasCaughtUp, fault, behindMs, createdMs };
}

/** The reads that the lean lane serves, and Express as well. */
export function readLaneRoutes(options: QueryRoutesOptions): EventRoute[] {
  const { stores, historyGate, limits, upcasting } = options;
  const { history, catalog, answers } = stores;
  const served = /\/events\/(?:query|:eventId)$/;
  const gate = historyGate;
  return eventRoutes({ history, catalog, answers, gate, limits, upcasting }).filter(({ path }) =>
    served.test(path),
  );
}

function withAliases(routes: readonly Route[]): Route[] {
  return routes.flatMap((route) => {
    const aliases = HEALTH_ALIASES[route.path] ?? [];
    return [route, ...aliases.map((path) => ({ ...route, path }))];
  });
}
