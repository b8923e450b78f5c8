/**
 * What the projections of all tenants do, for dashboards and alerts. The metrics page is open to whoever can reach it, so a projection stands there under a label that says nothing
 * (`metrics_label` in its own page); the number of labels is limited to those that are furthest behind.
 */
import { LIMITS } from '@allsource/shared/limits';
import { Gauge, type Registry } from 'prom-client';
import { metricsLabel } from '../http/own-projection-json.ts';
import type { OwnProjection } from '../projections/definitions/own-projections.ts';
import type { ProjectionState } from '../projections/projection-runtime.ts';

const STATUSES = ['created', 'running', 'paused', 'failed', 'stopped', 'rebuilding'] as const;

/** What all projections come to, without a name. */
export interface ProjectionTotals {
  readonly by_status: Readonly<Record<string, number>>;
  readonly stalled: number;
  readonly parked_entities: number;
  readonly errors: number;
  readonly lag_events_max: number;
  readonly lag_seconds_max: number;
}

/** Adds up what the projections do at the moment. Only those that should move count as behind. */
export function projectionTotals(projections: readonly OwnProjection[]): ProjectionTotals {
  const by_status: Record<string, number> = Object.fromEntries(STATUSES.map((word) => [word, 0]));
  let totals = { stalled: 0, parked_entities: 0, errors: 0, lag_events_max: 0, lag_seconds_max: 0 };
  for (const { definition, state } of projections) {
    const status = state?.status ?? definition.wanted;
    by_status[status] = (by_status[status] ?? 0) + 1;
    if (state === null) continue;
    const isMoving = definition.wanted === 'running';
    totals = {
      stalled: totals.stalled + (state.is_stalled ? 1 : 0),
      parked_entities: totals.parked_entities + state.parked_entities,
      errors: totals.errors + state.stats.error_count,
      lag_events_max: Math.max(totals.lag_events_max, isMoving ? state.lag_events : 0),
      lag_seconds_max: Math.max(totals.lag_seconds_max, isMoving ? state.lag_seconds : 0),
    };
  }
  return { by_status, ...totals };
}

/** Adds the metrics of projections, read at the moment of a scrape. */
export function watchProjections(registry: Registry, all: () => readonly OwnProjection[]): void {
  const registers = [registry];
  new Gauge({
    name: 'allsource_projections',
    help: "The tenants' own projections, by what they do.",
    labelNames: ['status'],
    registers,
    collect() {
      const { by_status } = projectionTotals(all());
      for (const [status, count] of Object.entries(by_status)) this.set({ status }, count);
    },
  });
  const total = (name: string, help: string, read: (totals: ProjectionTotals) => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read(projectionTotals(all())));
      },
    });
  total(
    'allsource_projections_stalled',
    'Projections that are behind and make no progress.',
    (t) => t.stalled,
  );
  total(
    'allsource_projection_parked_entities',
    'Entities whose events wait.',
    (t) => t.parked_entities,
  );
  total('allsource_projection_errors', 'Events that projections could not fold.', (t) => t.errors);
  total(
    'allsource_projection_lag_seconds_max',
    'Age of what the projection that is furthest behind lacks.',
    (t) => t.lag_seconds_max,
  );
  const each = (name: string, help: string, read: (state: ProjectionState) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['projection'],
      registers,
      collect() {
        this.reset();
        for (const { label, state } of furthestBehind(all()))
          this.set({ projection: label }, read(state));
      },
    });
  each(
    'allsource_projection_lag_events',
    'Positions of the log a projection lacks.',
    (s) => s.lag_events,
  );
  each(
    'allsource_projection_lag_seconds',
    'How old what is read of a projection may be.',
    (s) => s.lag_seconds,
  );
  each(
    'allsource_projection_stalled',
    '1 while a projection is behind and makes no progress.',
    (s) => Number(s.is_stalled),
  );
}

function furthestBehind(
  projections: readonly OwnProjection[],
): { readonly label: string; readonly state: ProjectionState }[] {
  const known = projections.flatMap(({ definition: { tenant, name }, state }) =>
    state === null ? [] : [{ label: metricsLabel(tenant, name), state }],
  );
  known.sort((a, b) => b.state.lag_events - a.state.lag_events);
  return known.slice(0, LIMITS.projectionsMeasuredMax);
}
