/**
 * What the projections of all tenants do, for dashboards and alerts. The metrics page is open to whoever can reach it, so a projection stands there under a label that says nothing
 * (`metrics_label` in its own page); the number of labels is limited to those that are furthest behind.
 */
import { LIMITS } from '@allsource/shared/limits';
import { Gauge, type GaugeConfiguration, type Registry } from 'prom-client';

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

/** What is measured of one projection. */
export interface MeasuredProjection {
  readonly label: string;
  readonly status: string;
  /** False for one that its owner has not started, or has halted. */
  readonly isWanted: boolean;
  readonly isStalled: boolean;
  readonly lagEvents: number;
  readonly lagSeconds: number;
  readonly parkedEntities: number;
  readonly errors: number;
}

/** Adds up what the projections do at the moment. Only those that should move count as behind. */
export function projectionTotals(projections: readonly MeasuredProjection[]): ProjectionTotals {
  const by_status: Record<string, number> = Object.fromEntries(STATUSES.map((word) => [word, 0]));
  for (const { status } of projections) by_status[status] = (by_status[status] ?? 0) + 1;
  const moving = projections.filter(({ isWanted }) => isWanted);
  const sum = (read: (one: MeasuredProjection) => number) =>
    projections.reduce((total, one) => total + read(one), 0);
  const most = (read: (one: MeasuredProjection) => number) =>
    moving.reduce((max, one) => Math.max(max, read(one)), 0);
  return {
    by_status,
    stalled: sum(({ isStalled }) => Number(isStalled)),
    parked_entities: sum(({ parkedEntities }) => parkedEntities),
    errors: sum(({ errors }) => errors),
    lag_events_max: most(({ lagEvents }) => lagEvents),
    lag_seconds_max: most(({ lagSeconds }) => lagSeconds),
  };
}

interface MeasuredGauge<T> {
  readonly name: string;
  readonly help: string;
  readonly read: (from: T) => number;
}

const OF_ALL: readonly MeasuredGauge<ProjectionTotals>[] = [
  {
    name: 'allsource_projections_stalled',
    help: 'Projections that are behind and make no progress.',
    read: ({ stalled }) => stalled,
  },
  {
    name: 'allsource_projection_parked_entities',
    help: 'Entities whose events wait because one of them cannot be folded.',
    read: ({ parked_entities }) => parked_entities,
  },
  {
    name: 'allsource_projection_errors',
    help: 'Events that the projections could not fold.',
    read: ({ errors }) => errors,
  },
  {
    name: 'allsource_projection_lag_seconds_max',
    help: 'How long ago the first event was recorded that the projection lacks that is furthest behind.',
    read: ({ lag_seconds_max }) => lag_seconds_max,
  },
];

const OF_EACH: readonly MeasuredGauge<MeasuredProjection>[] = [
  {
    name: 'allsource_projection_lag_events',
    help: 'Positions of the log that a projection lacks.',
    read: ({ lagEvents }) => lagEvents,
  },
  {
    name: 'allsource_projection_lag_seconds',
    help: 'How long ago the first event was recorded that a projection lacks.',
    read: ({ lagSeconds }) => lagSeconds,
  },
  {
    name: 'allsource_projection_stalled',
    help: '1 while a projection is behind and makes no progress.',
    read: ({ isStalled }) => Number(isStalled),
  },
];

/** Adds the metrics of projections, read at the moment of a scrape. */
export function watchProjections(
  registry: Registry,
  measured: () => readonly MeasuredProjection[],
): void {
  const gauge = (configuration: GaugeConfiguration<string>) =>
    registry.registerMetric(new Gauge({ ...configuration, registers: [] }));
  gauge({
    name: 'allsource_projections',
    help: "The tenants' own projections, by what they do.",
    labelNames: ['status'],
    collect() {
      const { by_status } = projectionTotals(measured());
      for (const [status, count] of Object.entries(by_status)) this.set({ status }, count);
    },
  });
  for (const { name, help, read } of OF_ALL)
    gauge({
      name,
      help,
      collect() {
        this.set(read(projectionTotals(measured())));
      },
    });
  for (const { name, help, read } of OF_EACH)
    gauge({
      name,
      help,
      labelNames: ['projection'],
      collect() {
        this.reset();
        for (const one of furthestBehind(measured()))
          this.set({ projection: one.label }, read(one));
      },
    });
}

function furthestBehind(projections: readonly MeasuredProjection[]): MeasuredProjection[] {
  const sorted = projections.toSorted((a, b) => b.lagEvents - a.lagEvents);
  return sorted.slice(0, LIMITS.projectionsMeasuredMax);
}
