import type { ErrorCode } from '@allsource/shared/errors';
import { type AddGauge, gaugesOf, type HttpMetrics } from '@allsource/service-kit/observability';
import { Counter, Histogram } from 'prom-client';

const SYNC_BUCKETS_S = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1,
];
const GROUP_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];
const RATE_WINDOW_S = 10;

/** Counts by second over a sliding window of ten seconds. */
class RateMeter {
  readonly #counts = new Map<number, number>();

  add(count: number): void {
    const second = Math.floor(performance.now() / 1000);
    this.#counts.set(second, (this.#counts.get(second) ?? 0) + count);
    for (const old of this.#counts.keys())
      if (old <= second - RATE_WINDOW_S) this.#counts.delete(old);
  }

  perSecond(): number {
    const since = Math.floor(performance.now() / 1000) - RATE_WINDOW_S;
    let sum = 0;
    for (const [second, count] of this.#counts) if (second > since) sum += count;
    return sum / RATE_WINDOW_S;
  }
}

/** What core reads at the moment of a scrape. */
export interface CoreGauges {
  readonly head: () => number;
  readonly entities: () => number;
  readonly events: () => number;
  readonly storageBytes: () => number;
  readonly connections: () => number;
  /** Sealing since the start. */
  readonly sealing: () => {
    readonly segments: number;
    readonly rawBytes: number;
    readonly sealedBytes: number;
    readonly failures: number;
    readonly waiting: number;
  };
  readonly isPoisoned: () => boolean;
  readonly isFull: () => boolean;
}

/** Core's own metrics. Names with `allsource_` are those that AllSource dashboards know. */
export class CoreMetrics {
  readonly #ingested: Counter;
  readonly #ingestedByType: Counter;
  readonly #refused: Counter;
  readonly #forwarded: Counter;
  readonly #schemaPayloads: Counter;
  readonly #schemaViolations: Counter;
  readonly #groupDuration: Histogram;
  readonly #groupCommits: Histogram;
  readonly #rate = new RateMeter();

  constructor({ registry }: HttpMetrics, gauges: CoreGauges) {
    const registers = [registry];
    this.#ingested = new Counter({
      name: 'allsource_events_ingested_total',
      help: 'Events appended.',
      registers,
    });
    this.#ingestedByType = new Counter({
      name: 'allsource_events_ingested_by_type',
      help: 'Events appended, by type; types beyond the first 200 are counted as "other".',
      labelNames: ['event_type'],
      registers,
    });
    this.#refused = new Counter({
      name: 'allsource_ingestion_errors_total',
      help: 'Appends refused, by code.',
      labelNames: ['code'],
      registers,
    });
    this.#forwarded = new Counter({
      name: 'allsource_core_forwarded_total',
      help: 'Reads forwarded to the query service, by how it went.',
      labelNames: ['upstream', 'outcome'],
      registers,
    });
    this.#schemaPayloads = new Counter({
      name: 'allsource_schema_payloads_validated_total',
      help: 'Payloads that were held against a schema before they were stored.',
      registers,
    });
    this.#schemaViolations = new Counter({
      name: 'allsource_schema_violations_total',
      help: 'Payloads that did not fit their schema: stored nevertheless (warn), or refused with their append (strict).',
      labelNames: ['enforcement'],
      registers,
    });
    this.#groupDuration = new Histogram({
      name: 'allsource_ingestion_duration_seconds',
      help: 'Time to write and sync one group of commits.',
      buckets: SYNC_BUCKETS_S,
      registers,
    });
    this.#groupCommits = new Histogram({
      name: 'allsource_commit_group_size',
      help: 'Commits that shared one sync.',
      buckets: GROUP_BUCKETS,
      registers,
    });
    defineGauges(gaugesOf(registry), gauges);
  }

  readonly #types = new Set<string>();

  /** Counts an acknowledged append. */
  countIngested(eventCount: number, types: ReadonlyMap<string, number>): void {
    this.#ingested.inc(eventCount);
    this.#rate.add(eventCount);
    for (const [type, count] of types) {
      this.#ingestedByType.inc({ event_type: this.#label(type) }, count);
    }
  }

  // Event types come from clients; without a bound they would make the metrics grow without one.
  #label(type: string): string {
    if (this.#types.has(type)) return type;
    if (this.#types.size >= 200) return 'other';
    this.#types.add(type);
    return type;
  }

  countRefused(code: ErrorCode): void {
    this.#refused.inc({ code });
  }

  countForwarded(upstream: string, outcome: 'answered' | 'unavailable' | 'abandoned'): void {
    this.#forwarded.inc({ upstream, outcome });
  }

  countValidated(payloads: number): void {
    this.#schemaPayloads.inc(payloads);
  }

  countViolations(enforcement: 'warn' | 'strict', payloads: number): void {
    this.#schemaViolations.inc({ enforcement }, payloads);
  }

  observeGroup(group: { readonly commits: number; readonly durationMs: number }): void {
    this.#groupDuration.observe(group.durationMs / 1000);
    this.#groupCommits.observe(group.commits);
  }

  /** Events appended per second over the last ten seconds. */
  ingestRatePerSecond(): number {
    return this.#rate.perSecond();
  }
}

function defineGauges(gauge: AddGauge, gauges: CoreGauges): void {
  gauge('allsource_log_head_position', 'Position of the last durable event.', gauges.head);
  gauge('allsource_entities_total', 'Entities with events.', gauges.entities);
  gauge('allsource_storage_entities_total', 'Entities with events.', gauges.entities);
  gauge('allsource_storage_events_total', 'Events stored.', gauges.events);
  gauge('allsource_storage_bytes', 'Bytes of the log on disk.', gauges.storageBytes);
  gauge('allsource_storage_size_bytes', 'Bytes of the log on disk.', gauges.storageBytes);
  gauge(
    'allsource_log_sealed_segments',
    'Segments sealed since the start.',
    () => gauges.sealing().segments,
  );
  gauge(
    'allsource_log_sealed_raw_bytes',
    'Bytes that the segments sealed since the start had before.',
    () => gauges.sealing().rawBytes,
  );
  gauge(
    'allsource_log_sealed_bytes',
    'Bytes that they have now.',
    () => gauges.sealing().sealedBytes,
  );
  gauge(
    'allsource_log_sealing_failures',
    'Sealings that failed since the start.',
    () => gauges.sealing().failures,
  );
  gauge(
    'allsource_log_unsealed_segments',
    'Full segments that wait to be sealed.',
    () => gauges.sealing().waiting,
  );
  gauge(
    'allsource_writer_poisoned',
    '1: the writer has stopped after a disk error and takes no appends until core is started again.',
    () => Number(gauges.isPoisoned()),
  );
  gauge('allsource_storage_full', '1: the last append found the disk full.', () =>
    Number(gauges.isFull()),
  );
  gauge('allsource_memory_bytes', 'Resident memory of the process.', () =>
    process.memoryUsage.rss(),
  );
  gauge(
    'allsource_websocket_connections_active',
    'Live connections, WebSocket and SSE.',
    gauges.connections,
  );
}
