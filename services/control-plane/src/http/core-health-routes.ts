import { Problem } from '@allsource/shared/errors';
import type { Call, Route } from '@allsource/service-kit/http';
import type { ControlPlaneMetrics } from '../observability/control-plane-metrics.ts';
import { parsedObject } from '../upstream/answer-members.ts';
import type { ServiceAnswer, ServiceClient } from '../upstream/service-client.ts';

const TIMEOUT_MS = 5_000;

export interface CoreHealthRoutesOptions {
  readonly core: ServiceClient;
  readonly metrics: ControlPlaneMetrics;
}

/** Core's health, asked through the control plane. */
export function coreHealthRoutes(options: CoreHealthRoutesOptions): Route[] {
  const summary = "Core's health as core tells it; 503 when it does not answer.";
  const handle = (call: Call) => answerCoreHealth(call, options);
  return [
    { method: 'GET', path: '/health/core', needs: 'public', summary, handle },
    { method: 'GET', path: '/api/v1/health/core', needs: 'authenticated', summary, handle },
  ];
}

async function answerCoreHealth(call: Call, options: CoreHealthRoutesOptions): Promise<void> {
  const { core, metrics } = options;
  const startedAtMs = performance.now();
  const outcome = await askHealth(core);
  const durationMs = performance.now() - startedAtMs;
  const isHealthy = outcome.kind === 'answer' && outcome.answer.status === 200;
  metrics.observeCoreHealthCheck({ durationMs, isHealthy });
  if (outcome.kind === 'none') call.json(503, { status: 'unhealthy', error: outcome.reason });
  else if (isHealthy) call.json(200, outcome.answer.text);
  else call.json(503, unhealthyBody(outcome.answer));
}

type HealthOutcome =
  | { readonly kind: 'answer'; readonly answer: ServiceAnswer }
  | { readonly kind: 'none'; readonly reason: string };

async function askHealth(core: ServiceClient): Promise<HealthOutcome> {
  try {
    const request = { method: 'GET', path: '/health', timeoutMs: TIMEOUT_MS } as const;
    return { kind: 'answer', answer: await core.request(request) };
  } catch (error) {
    if (error instanceof Problem) return { kind: 'none', reason: error.message };
    throw error;
  }
}

function unhealthyBody(answer: ServiceAnswer): Record<string, unknown> {
  const error = `Core answered its health check with ${answer.status}.`;
  return { error, ...parsedObject(answer.text), status: 'unhealthy' };
}
