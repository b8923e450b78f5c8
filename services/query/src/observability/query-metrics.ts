import { gaugesOf } from '@allsource/service-kit/observability';
import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

export type ReplayStep = 'started' | 'completed' | 'failed';

/** How far one read store follows the log. */
export interface FollowedStore {
  readonly name: string;
  readonly status: () => {
    readonly appliedPosition: number;
    readonly knownHead: number;
    readonly fault: string | null;
  };
}

/** What is read at the moment of a scrape. */
export interface QueryGauges {
  readonly stores: readonly FollowedStore[];
  readonly liveConnections: () => number;
  readonly projectionCount: () => number;
}

const DURATION_BUCKETS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5];

/**
 * The query service's own metrics. No label holds a name that a client chose and none tells one tenant from another, because the metrics
 * page is open to whoever can reach it. Names with `allsource_` are those that AllSource dashboards know.
 */
export class QueryMetrics {
  readonly #queries: Counter;
  readonly #queryDuration: Histogram;
  readonly #folded: Counter;
  readonly #foldDuration: Histogram;
  readonly #forwarded: Counter;
  readonly #replays: Readonly<Record<ReplayStep, Counter>>;
  readonly #snapshots: Counter;

  readonly #registry: Registry;

  constructor(registry: Registry) {
    this.#registry = registry;
    const registers = [registry];
    this.#queries = new Counter({
      name: 'allsource_queries_total',
      help: 'Reads answered by this service, by route.',
      labelNames: ['query_type'],
      registers,
    });
    this.#queryDuration = new Histogram({
      name: 'allsource_query_duration_seconds',
      help: 'Time to answer a read, by route.',
      labelNames: ['query_type'],
      buckets: DURATION_BUCKETS_S,
      registers,
    });
    this.#folded = new Counter({
      name: 'allsource_projection_events_processed_total',
      help: 'Events folded into the projections.',
      registers,
    });
    this.#foldDuration = new Histogram({
      name: 'allsource_projection_processing_duration_seconds',
      help: 'Time to fold and commit one portion of events.',
      buckets: DURATION_BUCKETS_S,
      registers,
    });
    const replays = (step: ReplayStep, help: string) =>
      new Counter({ name: `allsource_replays_${step}_total`, help, registers });
    this.#replays = {
      started: replays('started', 'Replays accepted.'),
      completed: replays('completed', 'Replays that came to their end.'),
      failed: replays(
        'failed',
        'Replays that failed; those that were cancelled are not among them.',
      ),
    };
    this.#snapshots = new Counter({
      name: 'allsource_snapshots_created_total',
      help: 'Snapshots of entities taken and kept, by what made them.',
      labelNames: ['snapshot_type'],
      registers,
    });
    this.#forwarded = new Counter({
      name: 'allsource_gateway_forwarded_total',
      help: 'Requests forwarded, by the service behind and how it went.',
      labelNames: ['upstream', 'outcome'],
      registers,
    });
  }

  /** Adds what is read at the moment of a scrape. Called once, when the stores are there. */
  watch(gauges: QueryGauges): void {
    defineGauges(this.#registry, gauges);
  }

  countQuery(queryType: string, durationMs: number): void {
    this.#queries.inc({ query_type: queryType });
    this.#queryDuration.observe({ query_type: queryType }, durationMs / 1000);
  }

  countFolded(eventCount: number, durationMs: number): void {
    this.#folded.inc(eventCount);
    this.#foldDuration.observe(durationMs / 1000);
  }

  countReplay(step: ReplayStep): void {
    this.#replays[step].inc();
  }

  countSnapshot(kind: 'manual' | 'automatic' | 'ondemand'): void {
    this.#snapshots.inc({ snapshot_type: kind });
  }

  countForwarded(upstream: string, outcome: 'answered' | 'unavailable' | 'abandoned'): void {
    this.#forwarded.inc({ upstream, outcome });
  }
}

function defineGauges(registry: Registry, gauges: QueryGauges): void {
  const { stores, liveConnections, projectionCount } = gauges;
  const registers = [registry];
  const storeGauge = (name: string, help: string, read: (store: FollowedStore) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['store'],
      registers,
      collect() {
        for (const store of stores) this.set({ store: store.name }, read(store));
      },
    });
  storeGauge('allsource_applied_position', 'Position a read store is true at.', (store) => {
    return store.status().appliedPosition;
  });
  storeGauge('allsource_lag_events', 'Events of the log a read store lacks.', (store) => {
    const { appliedPosition, knownHead } = store.status();
    return knownHead - appliedPosition;
  });
  storeGauge('allsource_follower_fault', '1 while a read store cannot follow the log.', (store) =>
    store.status().fault === null ? 0 : 1,
  );
  const gauge = gaugesOf(registry);
  gauge('allsource_memory_bytes', 'Resident memory of the process.', () =>
    process.memoryUsage.rss(),
  );
  gauge('allsource_projections_total', 'Projections kept.', projectionCount);
  gauge('allsource_websocket_connections_active', 'Live connections carried.', liveConnections);
}
