import { gaugesOf } from '@allsource/service-kit/observability';
import { Gauge, type Registry } from 'prom-client';

/** What is measured of one pipeline. */
export interface MeasuredPipeline {
  readonly status: string;
  readonly lagEvents: number;
  readonly pending: number;
  readonly dead: number;
}

const STATUSES = ['disabled', 'starting', 'catching_up', 'waiting', 'failed', 'running'] as const;

/**
 * Adds the metrics of pipelines, read at the moment of a scrape. The metrics page is open to whoever can reach it, so they are of all pipelines together, without
 * a name.
 */
export function watchPipelines(
  registry: Registry,
  measured: () => readonly MeasuredPipeline[],
): void {
  const most = (read: (one: MeasuredPipeline) => number) =>
    measured().reduce((max, one) => Math.max(max, read(one)), 0);
  const sum = (read: (one: MeasuredPipeline) => number) =>
    measured().reduce((total, one) => total + read(one), 0);
  const gauge = gaugesOf(registry);
  // A gauge in spite of its name, which is the one that dashboards know.
  gauge('allsource_pipelines_registered_total', 'Pipelines registered.', () => measured().length);
  gauge(
    'allsource_pipeline_lag_events_max',
    'Positions of the log that the pipeline furthest behind lacks.',
    () => most(({ lagEvents }) => lagEvents),
  );
  gauge(
    'allsource_pipeline_outputs_pending',
    'Outputs of pipelines that wait to be written or delivered.',
    () => sum(({ pending }) => pending),
  );
  gauge(
    'allsource_pipeline_dead_letters',
    'Outputs of pipelines that could not be written or delivered.',
    () => sum(({ dead }) => dead),
  );
  const byStatus = new Gauge({
    name: 'allsource_pipelines',
    help: 'Pipelines by what they do.',
    labelNames: ['status'],
    registers: [],
    collect() {
      const all = measured();
      for (const status of STATUSES)
        this.set({ status }, all.filter((one) => one.status === status).length);
    },
  });
  registry.registerMetric(byStatus);
}
