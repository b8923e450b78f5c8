import type { Clock } from '@allsource/shared/model';
import type { Call, Route } from '@allsource/service-kit/http';
import type { Registry } from 'prom-client';
import type { Catalog } from '../catalog/catalog.ts';
import { API_BASES } from '../gateway/api-path.ts';
import type { EventHistory } from '../history/event-history.ts';
import type { TenantRates } from '../observability/tenant-rates.ts';
import { BUILT_IN_PROJECTIONS } from '../projections/built-in.ts';
import type { ProjectionFolds } from '../projections/projection-folds.ts';
import { type ReadGate, stampPosition } from '../reads/read-gate.ts';

export interface StatsRoutesOptions {
  readonly history: EventHistory;
  readonly catalog: Catalog;
  /** The gate of the history, which fills the catalog. */
  readonly gate: ReadGate;
  /** Count the bytes, and may be a moment behind the history. */
  readonly projections: ProjectionFolds;
  /** Projections of a tenant's own. */
  readonly ownProjectionCount: (tenant: string) => number;
  readonly clock: Clock;
  readonly ingestRates: TenantRates;
  readonly queryRates: TenantRates;
  readonly registry: Registry;
}

const METRICS_PATHS = ['/metrics', '/api/metrics', '/api/metrics/prometheus'];

/** Numbers of a tenant, and the metrics of the process. */
export function statsRoutes(options: StatsRoutesOptions): Route[] {
  const stats = API_BASES.map(
    (base): Route => ({
      method: 'GET',
      path: `${base}/stats`,
      needs: 'read',
      summary: 'Counts of the tenant.',
      handle: (call) => answerStats(call, options),
    }),
  );
  const metrics = METRICS_PATHS.map(
    (path): Route => ({
      method: 'GET',
      path,
      needs: 'public',
      summary: 'Metrics in the Prometheus text format.',
      handle: async (call) => {
        call.response.setHeader('content-type', options.registry.contentType);
        call.response.end(await options.registry.metrics());
      },
    }),
  );
  return [...stats, ...metrics];
}

async function answerStats(call: Call, options: StatsRoutesOptions): Promise<void> {
  const { catalog, projections, clock } = options;
  const tenant = call.tenant();
  await options.gate.admit(call);
  const position = stampPosition(call, options.history.appliedPosition);
  const { eventCount, entityCount, typeCount } = catalog.tenant(tenant);
  const nowMs = clock.nowMicros() / 1000;
  call.json(200, {
    total_events: eventCount,
    total_entities: entityCount,
    total_event_types: typeCount,
    total_ingested: eventCount,
    total_projections: BUILT_IN_PROJECTIONS.length + options.ownProjectionCount(tenant),
    total_schemas: 0,
    uptime_seconds: Math.floor(process.uptime()),
    memory_used_bytes: process.memoryUsage.rss(),
    storage_used_bytes: projections.textBytes(tenant),
    ingest_rate_per_sec: options.ingestRates.perSecond(tenant, nowMs),
    query_rate_per_sec: options.queryRates.perSecond(tenant, nowMs),
    position,
  });
}
