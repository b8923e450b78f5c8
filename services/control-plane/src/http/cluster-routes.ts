import type { Route } from '@allsource/service-kit/http';
import type { Cluster, ClusterPicture } from '../cluster/cluster.ts';

export interface ClusterRoutesOptions {
  readonly cluster: Cluster;
  readonly version: string;
}

/** The state of the store as a whole. */
export function clusterRoutes({ cluster, version }: ClusterRoutesOptions): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/cluster/status',
      needs: 'admin',
      summary: 'Every service with its health, position and lag, and the totals of the store.',
      handle: async (call) => call.json(200, statusToWire(await cluster.look(), version)),
    },
    {
      method: 'GET',
      path: '/api/v1/cluster/health',
      needs: 'public',
      summary: 'Whether all services are well; no figures.',
      handle: async (call) => {
        const { nodes } = await cluster.look();
        const healthy = nodes.filter((node) => node.status === 'healthy').length;
        call.json(healthy === nodes.length ? 200 : 503, {
          status: healthy === nodes.length ? 'healthy' : 'unhealthy',
          total_nodes: nodes.length,
          healthy_nodes: healthy,
          timestamp: new Date().toISOString(),
        });
      },
    },
  ];
}

/** Older and newer clients read different members; this is the union. */
function statusToWire({ nodes, logId }: ClusterPicture, version: string): Record<string, unknown> {
  const healthyNodes = nodes.filter((node) => node.status === 'healthy').length;
  const core = nodes.find((node) => node.type === 'event-store');
  return {
    cluster_id: logId ?? 'unknown',
    nodes,
    total_nodes: nodes.length,
    healthy_nodes: healthyNodes,
    timestamp: new Date().toISOString(),
    healthy: healthyNodes === nodes.length,
    version,
    event_count: core?.stats.total_events ?? null,
    stream_count: core?.stats.total_entities ?? null,
    storage_bytes: core?.stats.storage_bytes ?? null,
    uptime_seconds: core?.stats.uptime_seconds ?? 0,
    details: { head_position: core?.stats.position ?? null, log_id: logId },
    _links: { self: { href: '/api/v1/cluster/status' } },
  };
}
