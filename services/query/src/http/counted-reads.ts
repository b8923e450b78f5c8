import type { Clock } from '@allsource/shared/model';
import type { Route } from '@allsource/service-kit/http';
import type { QueryMetrics } from '../observability/query-metrics.ts';
import type { TenantRates } from '../observability/tenant-rates.ts';

export interface CountedReadsOptions {
  readonly metrics: QueryMetrics;
  readonly rates: TenantRates;
  readonly clock: Clock;
}

/** The same routes; each read that is answered counts for its tenant and for the metrics. */
export function countedReads(
  routes: readonly Route[],
  { metrics, rates, clock }: CountedReadsOptions,
): Route[] {
  return routes.map((route) => {
    if (route.needs !== 'read') return route;
    return {
      ...route,
      handle: async (call) => {
        const startedAt = performance.now();
        await route.handle(call);
        metrics.countQuery(route.path, performance.now() - startedAt);
        rates.add(call.principal.tenantId, 1, clock.nowMicros() / 1000);
      },
    };
  });
}
