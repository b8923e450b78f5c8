/**
 * Does the work on the Parquet files, one job at a time: writes what the log holds beyond them, merges them, and compares their checksums. It runs in a thread
 * of its own (`parquet.worker.ts`), away from the reads.
 *
 * A job to write follows core's log from the folder's position to the head that core named when the job began, and no further than `PORTIONS_MAX` portions, so that
 * other jobs have their turn. Between jobs nothing is followed and nothing is in memory.
 *
 * Failure policy: a job that fails leaves what a crash leaves. The folder is opened again for the next one, which removes what is left over.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { problem } from '@allsource/shared/errors';
import { type Position, position } from '@allsource/shared/model';
import { createLogFollower, type LogFollower } from '@allsource/service-kit/feed';
import type { Logger } from '@allsource/service-kit/observability';
import { compact, type CompactionResult, NOTHING_COMPACTED } from './compaction/compact.ts';
import type { CompactionRules, CompactionStrategy } from './compaction/merge-plan.ts';
import type { ParquetDisk } from './disk/parquet-disk.ts';
import { checkFile, DamagedFile } from './file/parquet-file-reader.ts';
import type { ParquetFile } from './folder/manifest.ts';
import { ParquetFolder } from './folder/parquet-folder.ts';
import type { TenantFiles } from './folder/tenant-files.ts';
import { ParquetSink } from './writing/parquet-sink.ts';

export interface CompactJob {
  readonly kind: 'compact';
  /** Null: every tenant. */
  readonly tenant: string | null;
  readonly strategy: CompactionStrategy;
}

export type ParquetJob =
  | { readonly kind: 'write' }
  | CompactJob
  | { readonly kind: 'verify'; readonly tenant: string };

/** What was done, and what there is now. */
export interface ParquetReport {
  /** Up to here the files hold everything. */
  readonly position: number;
  readonly files: number;
  readonly bytes: number;
  readonly writtenFiles: number;
  readonly writtenEvents: number;
  /** Core's head when the files were last written. */
  readonly head: number;
  readonly compaction: CompactionResult;
  readonly verifiedFiles: number;
  readonly damagedFiles: number;
}

export interface ParquetKeeperOptions {
  readonly disk: ParquetDisk;
  /** Bytes that the file system may still take. */
  readonly freeBytes: () => Promise<number>;
  readonly coreUrl: string;
  readonly internalToken: () => Promise<string>;
  readonly rules: CompactionRules;
  readonly logger: Logger;
  readonly nowMs: () => number;
}

const PORTIONS_MAX = 4;
/** How long core may bring nothing before a job to write gives up. */
const SILENCE_MS = 60_000;
/** How long core may not answer at all. */
const HEAD_WAIT_MS = 10_000;
const POLL_MS = 250;
/** Room that the files leave on the disk: it belongs to the log. */
const RESERVED_BYTES = 512 * 1024 * 1024;

const NOTHING_DONE = {
  writtenFiles: 0,
  writtenEvents: 0,
  compaction: NOTHING_COMPACTED,
  verifiedFiles: 0,
  damagedFiles: 0,
};

export class ParquetKeeper {
  readonly #options: ParquetKeeperOptions;
  #folder: ParquetFolder | null = null;
  #head = 0;

  constructor(options: ParquetKeeperOptions) {
    this.#options = options;
  }

  /** Does one job. Throws `storage_full`, `upstream_unavailable`, `starting`, and what the disk says. */
  async run(job: ParquetJob): Promise<ParquetReport> {
    try {
      const folder = await this.#open();
      for (const files of folder.tenants) await files.sweep();
      const done = await this.#do(job, folder);
      return { ...NOTHING_DONE, ...done, ...sizeOf(folder), head: this.#head };
    } catch (error) {
      this.#folder = null;
      throw error;
    }
  }

  #do(job: ParquetJob, folder: ParquetFolder): Promise<Partial<ParquetReport>> {
    switch (job.kind) {
      case 'write':
        return this.#write(folder);
      case 'compact':
        return this.#compact(folder, job);
      case 'verify':
        return this.#verify(folder, job.tenant);
    }
  }

  async #open(): Promise<ParquetFolder> {
    const { disk, nowMs, logger } = this.#options;
    this.#folder ??= await ParquetFolder.open({
      disk,
      nowMs,
      warn: (facts, message) => logger.warn(facts, message),
    });
    return this.#folder;
  }

  async #write(folder: ParquetFolder): Promise<Partial<ParquetReport>> {
    const { disk, coreUrl, logger } = this.#options;
    await this.#requireSpace(0);
    const done = { writtenFiles: 0, writtenEvents: 0, portions: 0 };
    const sink = new ParquetSink({
      disk,
      folder,
      onWritten: ({ files, events }) => {
        done.writtenFiles += files;
        done.writtenEvents += events;
      },
      onFlushed: () => {
        done.portions += 1;
      },
    });
    const internalToken = await this.#options.internalToken();
    const follower = createLogFollower({ coreUrl, internalToken, sink, logger });
    try {
      follower.start();
      this.#head = await this.#awaitHead(follower);
      if (this.#head >= folder.reachedPosition)
        await this.#awaitApplied(follower, sink, () => done.portions >= PORTIONS_MAX);
    } finally {
      await follower.close();
    }
    // Core was restored from an older copy of its log: what lies beyond its head are other events than it will have there.
    if (this.#head < folder.reachedPosition) await sink.reset();
    else await sink.flush();
    return { writtenFiles: done.writtenFiles, writtenEvents: done.writtenEvents };
  }

  /** Core's head. While the files are of another log, the follower empties them and core is asked again. */
  async #awaitHead(follower: LogFollower): Promise<Position> {
    for (let waitedMs = 0; ; waitedMs += POLL_MS) {
      try {
        return await follower.coreHead();
      } catch (error) {
        if (waitedMs >= HEAD_WAIT_MS) throw error;
      }
      await sleep(POLL_MS);
    }
  }

  /** Waits until what core had has been applied, or it is enough. Throws when nothing comes any more. */
  async #awaitApplied(
    follower: LogFollower,
    sink: ParquetSink,
    isEnough: () => boolean,
  ): Promise<void> {
    const head = position(this.#head);
    let applied = -1;
    for (let silentMs = 0; !isEnough(); silentMs += POLL_MS) {
      if (await follower.waitFor(head, POLL_MS)) return;
      if (sink.failure !== null) throw sink.failure;
      const { appliedPosition, fault } = follower.status;
      if (appliedPosition !== applied) silentMs = 0;
      applied = appliedPosition;
      if (silentMs >= SILENCE_MS)
        throw problem('upstream_unavailable', fault ?? 'Core does not send its log.');
    }
  }

  async #compact(
    folder: ParquetFolder,
    { tenant, strategy }: CompactJob,
  ): Promise<Partial<ParquetReport>> {
    const { disk, rules, nowMs } = this.#options;
    let compaction = NOTHING_COMPACTED;
    for (const files of tenantsOf(folder, tenant)) {
      await this.#requireSpace(rules.fileBytesMax);
      const options = { disk, folder, files, strategy, rules, nowMs };
      compaction = sumOf(compaction, await compact(options));
    }
    return { compaction, damagedFiles: compaction.damaged };
  }

  async #verify(folder: ParquetFolder, tenant: string): Promise<Partial<ParquetReport>> {
    let [verifiedFiles, damagedFiles] = [0, 0];
    for (const files of tenantsOf(folder, tenant)) {
      for (const file of files.files) {
        verifiedFiles += 1;
        if (!(await this.#isWhole(folder, files, file))) damagedFiles += 1;
      }
    }
    return { verifiedFiles, damagedFiles };
  }

  async #isWhole(folder: ParquetFolder, files: TenantFiles, file: ParquetFile): Promise<boolean> {
    try {
      await checkFile(this.#options.disk, files.pathOf(file.name), file);
      return true;
    } catch (error) {
      if (!(error instanceof DamagedFile)) throw error;
      await folder.drop(files, file, error.message);
      return false;
    }
  }

  async #requireSpace(bytes: number): Promise<void> {
    const freeBytes = await this.#options.freeBytes();
    if (freeBytes >= RESERVED_BYTES + bytes) return;
    throw problem(
      'storage_full',
      `Parquet files wait: the disk has ${freeBytes} bytes left, and ${RESERVED_BYTES + bytes} must be free for this, so that the log has room.`,
    );
  }
}

function sizeOf(folder: ParquetFolder): Pick<ParquetReport, 'position' | 'files' | 'bytes'> {
  const files = folder.tenants.flatMap((tenant) => tenant.files);
  const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  return { position: folder.position, files: files.length, bytes };
}

function tenantsOf(folder: ParquetFolder, tenant: string | null): readonly TenantFiles[] {
  if (tenant === null) return folder.tenants;
  const files = folder.find(tenant);
  return files === null ? [] : [files];
}

function sumOf(a: CompactionResult, b: CompactionResult): CompactionResult {
  return {
    files: a.files + b.files,
    bytesBefore: a.bytesBefore + b.bytesBefore,
    bytesAfter: a.bytesAfter + b.bytesAfter,
    events: a.events + b.events,
    durationMs: a.durationMs + b.durationMs,
    damaged: a.damaged + b.damaged,
  };
}
