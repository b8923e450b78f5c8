import { Counter, Gauge, type Registry } from 'prom-client';
import type { ParquetReport } from './parquet-keeper.ts';

/** The metrics of the Parquet files, over all tenants. Names with `allsource_` that AllSource has too mean the same. */
export class ParquetMetrics {
  readonly #files: Gauge;
  readonly #bytes: Gauge;
  readonly #position: Gauge;
  readonly #events: Counter;
  readonly #compactions: Counter;
  readonly #saved: Counter;
  readonly #damaged: Counter;
  readonly #failures: Counter;

  constructor(registry: Registry) {
    const registers = [registry];
    const gauge = (name: string, help: string) => new Gauge({ name, help, registers });
    const counter = (name: string, help: string) => new Counter({ name, help, registers });
    this.#files = gauge('allsource_parquet_files_total', 'Parquet files that count.');
    this.#bytes = gauge('allsource_parquet_bytes', 'Bytes of these files.');
    this.#position = gauge('allsource_parquet_position', 'Position that they hold everything to.');
    this.#events = counter('allsource_parquet_events_total', 'Events written to Parquet files.');
    this.#compactions = counter(
      'allsource_compactions_total',
      'Compactions that merged Parquet files.',
    );
    this.#saved = counter(
      'allsource_compaction_saved_bytes_total',
      'Bytes that merging has saved.',
    );
    this.#damaged = counter(
      'allsource_parquet_damaged_files_total',
      'Parquet files that were found damaged and made again.',
    );
    this.#failures = new Counter({
      name: 'allsource_parquet_failures_total',
      help: 'Jobs on the Parquet files that failed, by kind.',
      labelNames: ['job'],
      registers,
    });
  }

  note(report: ParquetReport): void {
    this.#files.set(report.files);
    this.#bytes.set(report.bytes);
    this.#position.set(report.position);
    this.#events.inc(report.writtenEvents);
    this.#damaged.inc(report.damagedFiles);
    const { files, bytesBefore, bytesAfter } = report.compaction;
    if (files > 0) this.#compactions.inc();
    this.#saved.inc(Math.max(0, bytesBefore - bytesAfter));
  }

  noteFailure(job: string): void {
    this.#failures.inc({ job });
  }
}
