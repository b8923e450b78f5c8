/**
 * The Parquet files of the service as the rest of it sees them: keeps them up to date and compacted in the background, does both on demand, and says what there is.
 *
 * Promise: nothing here holds up a read. What the files hold is a copy; the log is the truth. Which files count is read from their manifests, so an answer is true also
 * while the thread works.
 *
 * Schedule: the files are written when `flushEvents` events wait, or when some have waited for `flushMs`; they are compacted every `compactionMs`. A file that was found damaged
 * is made again at once.
 *
 * Failure policy: what fails is logged and tried again at the next turn; whoever asked for it is told.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '@allsource/service-kit/observability';
import type { CompactionResult } from './compaction/compact.ts';
import type { CompactionStrategy } from './compaction/merge-plan.ts';
import { isMissing } from './disk/parquet-disk.ts';
import { decodeManifest, type Manifest, unsealed } from './folder/manifest.ts';
import { manifestName, POSITION_FILE, tenantFolder } from './folder/names.ts';
import type { ParquetJob, ParquetReport } from './parquet-keeper.ts';
import type { ParquetMetrics } from './parquet-metrics.ts';

export interface ParquetStoreOptions {
  readonly folder: string;
  readonly flushEvents: number;
  readonly flushMs: number;
  readonly isAutoCompacted: boolean;
  readonly compactionMs: number;
  readonly strategy: CompactionStrategy;
  readonly thread: ParquetJobs;
  /** How far the event history goes: what may be written. */
  readonly appliedPosition: () => number;
  readonly metrics: ParquetMetrics;
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn'>;
  readonly nowMs: () => number;
}

/** Does the jobs: the thread. */
export interface ParquetJobs {
  run(job: ParquetJob): Promise<ParquetReport>;
  close(): Promise<void>;
}

/** How often it is looked whether something is due. */
const TICK_MS = 1_000;
/** How soon after a start files that are there are looked at. */
const FIRST_LOOK_MS = 5_000;
/** How long a job that failed is left alone. */
const RETRY_MS = 30_000;

export class ParquetStore {
  readonly #options: ParquetStoreOptions;
  readonly #shared = new Map<string, Promise<ParquetReport>>();
  #last: Promise<unknown> = Promise.resolve();
  #position = 0;
  #writeDueMs = 0;
  #compactionDueMs = 0;
  /** After a failure. */
  #writeNotBeforeMs = 0;
  /** There were files at the start, and nobody has looked yet whether they are whole. */
  #isLookDue = false;
  #isWorking = false;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(options: ParquetStoreOptions) {
    this.#options = options;
  }

  /** Begins to keep the files. */
  async start(): Promise<void> {
    const { flushMs, compactionMs, nowMs } = this.#options;
    this.#position = await this.position();
    if (this.#isClosed) return;
    this.#isLookDue = this.#position > 0;
    const firstMs = this.#isLookDue ? Math.min(FIRST_LOOK_MS, flushMs) : flushMs;
    this.#writeDueMs = nowMs() + firstMs;
    this.#compactionDueMs = nowMs() + compactionMs;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#timer.unref();
  }

  /** Writes everything that core has now. Throws what the job throws. */
  async flush(): Promise<ParquetReport> {
    let report = await this.#share('write', { kind: 'write' });
    const { head } = report;
    while (report.position < head) report = await this.#share('write', { kind: 'write' });
    return report;
  }

  /** Compacts the files of a tenant. */
  async compact(tenant: string, strategy: CompactionStrategy): Promise<CompactionResult> {
    const job = { kind: 'compact', tenant, strategy } as const;
    return (await this.#share(`compact ${tenant} ${strategy}`, job)).compaction;
  }

  /** Compares the checksums of all files of a tenant; damaged ones are made again. */
  async verify(tenant: string): Promise<ParquetReport> {
    const report = await this.#share(`verify ${tenant}`, { kind: 'verify', tenant });
    if (report.damagedFiles > 0) await this.flush();
    return report;
  }

  /** The manifest of a tenant; null when it has no files. */
  async manifest(tenant: string): Promise<Manifest | null> {
    const bytes = await this.#read(manifestName(tenant));
    return bytes === null ? null : decodeManifest(bytes);
  }

  /** Up to here the files hold everything. */
  async position(): Promise<number> {
    const bytes = await this.#read(POSITION_FILE);
    const saved = bytes === null ? null : unsealed('position', bytes);
    return saved === null ? 0 : (saved['position'] as number);
  }

  /** The folder of a tenant's files, as a path of this machine. */
  folderOf(tenant: string): string {
    return join(this.#options.folder, tenantFolder(tenant));
  }

  /** Stops working. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#options.thread.close();
    await this.#last;
  }

  #tick(): void {
    if (this.#isWorking || this.#isClosed) return;
    const job = this.#dueJob();
    if (job !== null) void this.#work(job);
  }

  #dueJob(): ParquetJob | null {
    const { appliedPosition, flushEvents, isAutoCompacted, strategy, nowMs } = this.#options;
    const now = nowMs();
    const waiting = appliedPosition() - this.#position;
    const isSomeDue = (waiting > 0 || this.#isLookDue) && now >= this.#writeDueMs;
    if ((waiting >= flushEvents || isSomeDue) && now >= this.#writeNotBeforeMs)
      return { kind: 'write' };
    if (isAutoCompacted && now >= this.#compactionDueMs)
      return { kind: 'compact', tenant: null, strategy };
    return null;
  }

  /** Does a job of the schedule. What fails is logged. */
  async #work(job: ParquetJob): Promise<void> {
    const { compactionMs, logger, nowMs } = this.#options;
    this.#isWorking = true;
    try {
      await this.#share(job.kind, job);
      this.#isLookDue = false;
    } catch (error) {
      if (!this.#isClosed) logger.warn({ err: error, job: job.kind }, 'Parquet: a job failed');
      this.#writeNotBeforeMs = nowMs() + RETRY_MS;
    }
    if (job.kind === 'compact') this.#compactionDueMs = nowMs() + compactionMs;
    this.#isWorking = false;
  }

  /** Jobs run one after the other. One that waits already is shared with whoever asks for the same. */
  #share(key: string, job: ParquetJob): Promise<ParquetReport> {
    const shared = this.#shared.get(key);
    if (shared !== undefined) return shared;
    const run = this.#last.then(() => {
      this.#shared.delete(key);
      return this.#run(job);
    });
    this.#shared.set(key, run);
    // The failure is told to whoever asked; the next job runs all the same.
    this.#last = run.catch(() => undefined);
    return run;
  }

  async #run(job: ParquetJob): Promise<ParquetReport> {
    const { thread, metrics, logger, flushMs, nowMs } = this.#options;
    try {
      const report = await thread.run(job);
      this.#position = report.position;
      metrics.note(report);
      // What a damaged file held lies beyond the position now, and is written at the next turn.
      if (report.damagedFiles > 0) this.#writeDueMs = 0;
      else if (job.kind === 'write') this.#writeDueMs = nowMs() + flushMs;
      const { compaction, writtenEvents } = report;
      if (compaction.files > 0) logger.info({ compaction }, 'Parquet: files were merged');
      if (writtenEvents > 0)
        logger.debug({ writtenEvents, position: report.position }, 'Parquet: events were written');
      return report;
    } catch (error) {
      metrics.noteFailure(job.kind);
      throw error;
    }
  }

  async #read(name: string): Promise<Buffer | null> {
    try {
      return await readFile(join(this.#options.folder, name));
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  }
}
