/**
 * Asks a service how it is: its health and its metrics page, both public routes. A service that does not answer in time is a finding, not a failure. The
 * counts are those of the whole store, over all tenants; only operators see them.
 */
import { Problem } from '@allsource/shared/errors';
import { parsedObject } from '../upstream/answer-members.ts';
import type { ServiceAnswer, ServiceClient } from '../upstream/service-client.ts';
import { leastSample, type MetricSamples, parseMetrics } from './metrics-text.ts';
import { NOTHING_KNOWN, type NodeStats, type NodeStatus } from './node-status.ts';

const PROBE_TIMEOUT_MS = 2_000;

export interface ProbedService {
  readonly client: ServiceClient;
  readonly type: NodeStatus['type'];
  readonly nowMs: () => number;
}

/** The state of a service at this moment. Never throws for a service that is down. */
export async function probeService(service: ProbedService): Promise<NodeStatus> {
  const { client, type } = service;
  const base = { id: client.name, type, url: client.url };
  try {
    const [health, metrics] = await Promise.all([
      client.request({ method: 'GET', path: '/health', timeoutMs: PROBE_TIMEOUT_MS }),
      client.request({ method: 'GET', path: '/metrics', timeoutMs: PROBE_TIMEOUT_MS }),
    ]);
    const samples = parseMetrics(metrics.status === 200 ? metrics.text : '');
    return { ...base, ...judged(health), stats: statsOf(health, samples, service.nowMs()) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { ...base, status: 'unreachable', stats: { ...NOTHING_KNOWN, fault: error.message } };
  }
}

function judged(health: ServiceAnswer): Pick<NodeStatus, 'status'> {
  const word = parsedObject(health.text)?.['status'];
  return { status: health.status === 200 && word === 'healthy' ? 'healthy' : 'unhealthy' };
}

function statsOf(health: ServiceAnswer, samples: MetricSamples, nowMs: number): NodeStats {
  const { version, error } = parsedObject(health.text) ?? {};
  const startedAtSeconds = leastSample(samples, 'process_start_time_seconds');
  return {
    position:
      leastSample(samples, 'allsource_log_head_position') ??
      leastSample(samples, 'allsource_applied_position'),
    lag_events: null,
    uptime_seconds:
      startedAtSeconds === null ? null : Math.max(0, Math.floor(nowMs / 1000 - startedAtSeconds)),
    memory_bytes: leastSample(samples, 'allsource_memory_bytes'),
    total_events: leastSample(samples, 'allsource_storage_events_total'),
    total_entities: leastSample(samples, 'allsource_entities_total'),
    storage_bytes: leastSample(samples, 'allsource_storage_bytes'),
    version: typeof version === 'string' ? version : null,
    fault: faultOf(health, error),
  };
}

function faultOf(health: ServiceAnswer, error: unknown): string | null {
  if (health.status === 200) return null;
  return typeof error === 'string' ? error : `/health answered ${health.status}.`;
}
