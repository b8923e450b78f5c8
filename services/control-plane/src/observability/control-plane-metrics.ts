import type { HttpMetrics } from '@allsource/service-kit/observability';
import { Counter, Histogram } from 'prom-client';

export type OperationKind = 'snapshot' | 'replay';

/** The control plane's own metrics; the names are those that AllSource dashboards know. */
export class ControlPlaneMetrics {
  readonly #healthChecks: Counter;
  readonly #healthCheckDuration: Histogram;
  readonly #operations: Record<OperationKind, Counter>;

  constructor({ registry }: HttpMetrics) {
    const registers = [registry];
    const operationCounter = (kind: OperationKind) =>
      new Counter({
        name: `control_plane_${kind}_operations_total`,
        help: `Requests for a ${kind}, by how they went.`,
        labelNames: ['status'],
        registers,
      });
    this.#healthChecks = new Counter({
      name: 'control_plane_core_health_check_total',
      help: 'Health checks of core, by what they found.',
      labelNames: ['status'],
      registers,
    });
    this.#healthCheckDuration = new Histogram({
      name: 'control_plane_core_health_check_duration_seconds',
      help: 'Time of a health check of core.',
      registers,
    });
    this.#operations = {
      snapshot: operationCounter('snapshot'),
      replay: operationCounter('replay'),
    };
  }

  observeCoreHealthCheck(check: {
    readonly durationMs: number;
    readonly isHealthy: boolean;
  }): void {
    this.#healthCheckDuration.observe(check.durationMs / 1000);
    this.#healthChecks.inc({ status: check.isHealthy ? 'healthy' : 'unhealthy' });
  }

  countOperation(kind: OperationKind, status: 'success' | 'refused'): void {
    this.#operations[kind].inc({ status });
  }
}
