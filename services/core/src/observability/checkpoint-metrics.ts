import type { HttpMetrics } from '@allsource/service-kit/observability';
import { Counter, Gauge } from 'prom-client';

/** What an operator sees of checkpoints: how far the newest one reaches, what it took, and what went wrong. */
export class CheckpointMetrics {
  readonly #position: Gauge;
  readonly #bytes: Gauge;
  readonly #duration: Gauge;
  readonly #written: Counter;
  readonly #failed: Counter;
  readonly #setAside: Counter;

  constructor({ registry }: HttpMetrics) {
    const registers = [registry];
    this.#position = new Gauge({
      name: 'allsource_checkpoint_position',
      help: 'Position of the newest checkpoint; 0 when this run has neither used nor written one.',
      registers,
    });
    this.#bytes = new Gauge({
      name: 'allsource_checkpoint_bytes',
      help: 'Bytes of the newest checkpoint.',
      registers,
    });
    this.#duration = new Gauge({
      name: 'allsource_checkpoint_duration_seconds',
      help: 'Time that the newest checkpoint of this run took to write.',
      registers,
    });
    this.#written = new Counter({
      name: 'allsource_checkpoints_written_total',
      help: 'Checkpoints written.',
      registers,
    });
    this.#failed = new Counter({
      name: 'allsource_checkpoints_failed_total',
      help: 'Checkpoints that could not be written or looked for.',
      registers,
    });
    this.#setAside = new Counter({
      name: 'allsource_checkpoints_set_aside_total',
      help: 'Checkpoints that this start could not use.',
      registers,
    });
  }

  countSetAside(): void {
    this.#setAside.inc();
  }

  countFailed(): void {
    this.#failed.inc();
  }

  /** The checkpoint that this run has started from. */
  observeUsed(checkpoint: { readonly position: number; readonly bytes: number }): void {
    this.#position.set(checkpoint.position);
    this.#bytes.set(checkpoint.bytes);
  }

  observeWritten(checkpoint: {
    readonly position: number;
    readonly bytes: number;
    readonly durationMs: number;
  }): void {
    this.observeUsed(checkpoint);
    this.#duration.set(checkpoint.durationMs / 1000);
    this.#written.inc();
  }
}
