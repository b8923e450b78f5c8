import type { Route } from './route.ts';

/** One thing that must be true for a service to serve. */
export interface ReadinessCheck {
  readonly name: string;
  /** Null when it is true, otherwise a sentence that says what is wrong. */
  readonly fault: () => string | null;
}

export interface HealthOptions {
  readonly service: string;
  readonly version: string;
  readonly checks: readonly ReadinessCheck[];
  /** Extra members of /health, such as the role. */
  readonly extra?: () => Record<string, unknown>;
  /** Extra members of /readyz: what is worth seeing and does not keep the service from serving. It is public. */
  readonly readyDetails?: () => Record<string, unknown>;
}

/** The public health routes: /livez (the process runs), /readyz (it can serve, with its checks) and /health (what SDKs ask for). */
export function healthRoutes(options: HealthOptions): Route[] {
  const readiness = () =>
    options.checks.map((check) => ({ name: check.name, fault: check.fault() }));
  return [
    {
      method: 'GET',
      path: '/livez',
      needs: 'public',
      summary: 'The process runs.',
      handle: (call) => call.json(200, { status: 'alive' }),
    },
    {
      method: 'GET',
      path: '/readyz',
      needs: 'public',
      summary: 'The service can serve; lists its checks.',
      handle: (call) => {
        const checks = readiness();
        const ready = checks.every((check) => check.fault === null);
        call.json(ready ? 200 : 503, {
          status: ready ? 'ready' : 'not_ready',
          checks: checks.map(({ name, fault }) => ({
            name,
            ok: fault === null,
            ...(fault === null ? {} : { detail: fault }),
          })),
          ...options.readyDetails?.(),
        });
      },
    },
    {
      method: 'GET',
      path: '/health',
      needs: 'public',
      summary: 'Health in the form that AllSource SDKs read.',
      handle: (call) => {
        const faults = readiness().filter((check) => check.fault !== null);
        const healthy = faults.length === 0;
        call.json(healthy ? 200 : 503, {
          status: healthy ? 'healthy' : 'unhealthy',
          service: options.service,
          version: options.version,
          timestamp: new Date().toISOString(),
          ...(healthy
            ? {}
            : { error: faults.map((check) => `${check.name}: ${check.fault}`).join('; ') }),
          ...options.extra?.(),
        });
      },
    },
  ];
}
