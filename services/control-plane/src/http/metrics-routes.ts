import type { Call, Route } from '@allsource/service-kit/http';
import type { Registry } from 'prom-client';
import { parsedObject } from '../upstream/answer-members.ts';
import { callerHeaders } from '../upstream/caller-headers.ts';
import type { ServiceClient } from '../upstream/service-client.ts';
import { upstreamProblem } from '../upstream/upstream-problem.ts';

const TIMEOUT_MS = 5_000;

export interface MetricsRoutesOptions {
  readonly core: ServiceClient;
  readonly registry: Registry;
}

/** Figures: of this process for Prometheus, and of the store as JSON. */
export function metricsRoutes({ core, registry }: MetricsRoutesOptions): Route[] {
  return [
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
    {
      method: 'GET',
      path: '/api/v1/metrics/json',
      needs: 'admin',
      summary: 'The figures of the tenant in the store, and of the control plane.',
      handle: async (call) => {
        const metrics = {
          event_store: parsedObject(await coreStats(call, core)),
          control_plane: {
            uptime_seconds: Math.floor(process.uptime()),
            memory_used_bytes: process.memoryUsage.rss(),
          },
        };
        call.json(200, { metrics, timestamp: new Date().toISOString() });
      },
    },
    {
      method: 'GET',
      path: '/api/v1/stats',
      needs: 'read',
      summary: 'Counts of the tenant, as core tells them.',
      handle: async (call) => call.json(200, await coreStats(call, core)),
    },
  ];
}

async function coreStats(call: Call, core: ServiceClient): Promise<string> {
  const tenant = encodeURIComponent(call.tenant());
  const answer = await core.request({
    method: 'GET',
    path: `/api/v1/stats?tenant_id=${tenant}`,
    headers: callerHeaders(call.request),
    timeoutMs: TIMEOUT_MS,
  });
  if (answer.status !== 200) throw upstreamProblem(core, answer);
  return answer.text;
}
