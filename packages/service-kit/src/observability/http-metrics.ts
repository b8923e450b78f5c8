import type { IncomingMessage, ServerResponse } from 'node:http';
import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client';

const DURATION_BUCKETS_S = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];

/** The metrics of one service. `prefix` is the first word of the HTTP metric names, such as allsource_core. */
export class HttpMetrics {
  readonly registry = new Registry();
  readonly #requests: Counter;
  readonly #duration: Histogram;

  constructor(prefix: string) {
    collectDefaultMetrics({ register: this.registry });
    this.#requests = new Counter({
      name: `${prefix}_http_requests_total`,
      help: 'HTTP requests answered.',
      labelNames: ['method', 'route', 'status'],
      registers: [this.registry],
    });
    this.#duration = new Histogram({
      name: `${prefix}_http_request_duration_seconds`,
      help: 'Time from the arrival of a request to its last byte.',
      labelNames: ['method', 'route'],
      buckets: DURATION_BUCKETS_S,
      registers: [this.registry],
    });
  }

  /** Counts a request when its answer ends. `route` is the path pattern, never the path: labels stay few. */
  observe(request: IncomingMessage, response: ServerResponse, route: string): void {
    const startedAt = performance.now();
    const method = request.method ?? 'UNKNOWN';
    response.once('close', () => {
      const durationMs = performance.now() - startedAt;
      this.count({ method, route, status: response.statusCode, durationMs });
    });
  }

  /** Counts a request that was answered. `route` is the path pattern. */
  count(request: {
    readonly method: string;
    readonly route: string;
    readonly status: number;
    readonly durationMs: number;
  }): void {
    const { method, route, status, durationMs } = request;
    this.#requests.inc({ method, route, status });
    this.#duration.observe({ method, route }, durationMs / 1000);
  }
}
