import type { Clock } from '@allsource/shared/model';
import type { Logger } from '@allsource/service-kit/observability';
import { isEnded, type ReplayRecord } from './replay-record.ts';
import type { ReplayRecords } from './replay-records.ts';
import type { ReplayRun } from './replay-run.ts';

/** How often the progress of a running replay is written down. */
const SAVE_EVERY_MS = 1_000;

export interface ActiveReplayOptions {
  readonly records: ReplayRecords;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A replay that has not ended: its record as it changes, and who carries it out. */
export class ActiveReplay {
  readonly #options: ActiveReplayOptions;
  #record: ReplayRecord;
  /** Null until it is carried out. */
  run: ReplayRun | null = null;
  /** Set while it is being carried out; never rejects. */
  ending: Promise<void> | null = null;
  isCancelled = false;
  /** Why it cannot go on, if so. */
  interruption: string | null = null;
  #savedMs = 0;
  #session = { startedMs: 0, activeMsBefore: 0 };

  constructor(record: ReplayRecord, options: ActiveReplayOptions) {
    this.#options = options;
    this.#record = record;
  }

  get record(): ReplayRecord {
    return this.#record;
  }

  /** Begins to count the time that it runs. */
  beginSession(): void {
    this.#session = { startedMs: performance.now(), activeMsBefore: this.#record.activeMs };
  }

  noteProgress(processedEvents: number): void {
    // Events may come in while it runs, so there can be more than were counted.
    const totalEvents = Math.max(this.#record.totalEvents, processedEvents);
    this.#note({ processedEvents, totalEvents, message: null });
  }

  noteWaiting(reason: string | null): void {
    this.#note({ message: reason });
  }

  change(change: Partial<ReplayRecord>): void {
    const updatedAt = this.#options.clock.nowMicros();
    this.#record = { ...this.#record, ...change, updatedAt };
  }

  /** Writes the record down. A disk that refuses ends no replay: an older record makes the next start do something again. */
  save(): void {
    const { records, logger } = this.#options;
    this.#savedMs = performance.now();
    try {
      records.put(this.#record, isEnded(this.#record.status));
    } catch (error) {
      const { id } = this.#record;
      logger.error({ err: error, id }, 'the record of a replay could not be written');
    }
  }

  #note(change: Partial<ReplayRecord>): void {
    const { startedMs, activeMsBefore } = this.#session;
    this.change({ ...change, activeMs: activeMsBefore + performance.now() - startedMs });
    if (performance.now() - this.#savedMs >= SAVE_EVERY_MS) this.save();
  }
}
