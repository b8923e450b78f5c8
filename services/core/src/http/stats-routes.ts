import type { Route } from '@allsource/service-kit/http';
import type { Registry } from 'prom-client';
import type { EntityState } from '../append/commit-builder.ts';
import type { DurableLog } from '../read/durable-log.ts';

export interface StatsRoutesOptions {
  readonly entities: EntityState;
  readonly log: DurableLog;
  readonly registry: Registry;
  readonly storageBytes: () => number;
  readonly schemaCount: (tenant: string) => number;
  readonly ingestRatePerSecond: () => number;
}

/** Numbers of a tenant, and the metrics of the process. */
export function statsRoutes(options: StatsRoutesOptions): Route[] {
  const { entities, log, registry } = options;
  return [
    {
      method: 'GET',
      path: '/api/v1/stats',
      needs: 'read',
      summary: 'Counts of the tenant, and figures of the process.',
      handle: (call) => {
        const tenant = call.tenant();
        call.json(200, {
          total_events: entities.eventCount(tenant),
          total_entities: entities.entityCount(tenant),
          total_event_types: entities.eventTypeCount(tenant),
          total_ingested: entities.eventCount(tenant),
          total_projections: 0,
          total_schemas: options.schemaCount(tenant),
          uptime_seconds: Math.floor(process.uptime()),
          memory_used_bytes: process.memoryUsage.rss(),
          storage_used_bytes: options.storageBytes(),
          ingest_rate_per_sec: options.ingestRatePerSecond(),
          query_rate_per_sec: 0,
          head_position: log.head,
        });
      },
    },
    {
      method: 'GET',
      path: '/metrics',
      needs: 'public',
      summary: 'Metrics in the Prometheus text format.',
      handle: async (call) => {
        call.response.setHeader('content-type', registry.contentType);
        call.response.end(await registry.metrics());
      },
    },
  ];
}
