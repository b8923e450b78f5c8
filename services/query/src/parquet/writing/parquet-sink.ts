/**
 * Turns the log into Parquet files: collects frames by tenant and writes them out when they are many, or when `flush` is called.
 *
 * Promise: what `appliedPosition` says is in the files or in memory; what the folder's position says is in the files for good. Every flush writes all that was collected, so the
 * position that it says is the end of a frame and holds for every tenant.
 *
 * Ordering: one call at a time (the follower's rule). Memory is bounded by `PORTION_LIMITS` and one run of the follower.
 *
 * What a crash leaves: the files of some tenants and not of others. The log brings all of it again, and what a file covers is passed over.
 *
 * Failure policy: what the disk refuses is thrown and the sink must not be used again; a new one begins at the folder's position.
 */
import { isNativeError } from 'node:util/types';
import { assert } from '@allsource/shared/lang';
import { type Position, position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { FrameSink } from '@allsource/service-kit/feed';
import type { ParquetDisk } from '../disk/parquet-disk.ts';
import type { ParquetFolder } from '../folder/parquet-folder.ts';
import type { DraftFile, TenantFiles } from '../folder/tenant-files.ts';
import { writeFrames } from './event-file.ts';

/** With how much is written out although nobody asked for it. */
export interface PortionLimits {
  readonly events: number;
  readonly frameBytes: number;
}

export const PORTION_LIMITS: PortionLimits = { events: 131_072, frameBytes: 32 * 1024 * 1024 };

/** The frames of a tenant that wait. No file lies between those of one stretch, so a stretch becomes one file. */
interface Waiting {
  readonly files: TenantFiles;
  readonly stretches: [Frame, ...Frame[]][];
  /** A file lies behind the last frame. */
  isCut: boolean;
}

export interface ParquetSinkOptions {
  readonly disk: ParquetDisk;
  readonly folder: ParquetFolder;
  readonly limits?: PortionLimits;
  readonly onWritten?: (written: { readonly files: number; readonly events: number }) => void;
  /** Called when the folder's position has moved. */
  readonly onFlushed?: () => void;
}

export class ParquetSink implements FrameSink {
  readonly #options: ParquetSinkOptions;
  readonly #limits: PortionLimits;
  readonly #waiting = new Map<string, Waiting>();
  #events = 0;
  #frameBytes = 0;
  #applied: number;
  #failure: Error | null = null;

  constructor(options: ParquetSinkOptions) {
    this.#options = options;
    this.#limits = options.limits ?? PORTION_LIMITS;
    this.#applied = options.folder.position;
  }

  get appliedPosition(): Position {
    return position(this.#applied);
  }

  get logId(): string | null {
    return this.#options.folder.logId;
  }

  /** What the disk refused; the sink takes nothing any more then. Null when all is well. */
  get failure(): Error | null {
    return this.#failure;
  }

  async apply(frames: readonly Frame[], logId: string): Promise<void> {
    // Some tenants may have their files already: what waits must not be written a second time.
    if (this.#failure !== null) throw this.#failure;
    try {
      await this.#options.folder.begin(logId);
      for (const frame of frames) await this.#applyOne(frame);
    } catch (error) {
      this.#failure = isNativeError(error) ? error : new TypeError(String(error));
      throw error;
    }
  }

  async #applyOne(frame: Frame): Promise<void> {
    assert(frame.position === this.#applied + 1, `a frame is missing after ${this.#applied}`);
    if (!frame.isSystem) await this.#take(frame);
    this.#applied = frame.lastPosition;
    if (this.#isFull) await this.flush();
  }

  /** Unused: the feed is not filtered. */
  advance(): void {
    assert(false, 'the feed of the Parquet files is not filtered');
  }

  /** Removes all files: core holds another log. */
  async reset(): Promise<void> {
    this.#forget();
    await this.#options.folder.clear();
    this.#applied = 0;
  }

  /** Writes out what was collected and says how far the files go. */
  async flush(): Promise<void> {
    const { folder } = this.#options;
    if (this.#applied === folder.position) return;
    for (const waiting of this.#waiting.values()) await this.#write(waiting);
    this.#forget();
    await folder.advance(this.#applied);
    this.#options.onFlushed?.();
  }

  get #isFull(): boolean {
    return this.#events >= this.#limits.events || this.#frameBytes >= this.#limits.frameBytes;
  }

  async #take(frame: Frame): Promise<void> {
    const waiting = await this.#waitingOf(frame.tenant);
    if (waiting.files.covers(frame.position)) {
      waiting.isCut = true;
      return;
    }
    const last = waiting.stretches.at(-1);
    if (last === undefined || waiting.isCut) waiting.stretches.push([frame]);
    else last.push(frame);
    waiting.isCut = false;
    this.#events += frame.eventCount;
    this.#frameBytes += frame.bytes.length;
  }

  async #waitingOf(tenant: string): Promise<Waiting> {
    const known = this.#waiting.get(tenant);
    if (known !== undefined) return known;
    const files = await this.#options.folder.tenant(tenant);
    const waiting: Waiting = { files, stretches: [], isCut: false };
    this.#waiting.set(tenant, waiting);
    return waiting;
  }

  async #write({ files, stretches }: Waiting): Promise<void> {
    if (stretches.length === 0) return;
    const drafts: DraftFile[] = [];
    for (const stretch of stretches)
      drafts.push(await writeFrames(this.#options.disk, files, stretch));
    await files.replace([], drafts);
    const events = drafts.reduce((sum, { rows }) => sum + rows, 0);
    this.#options.onWritten?.({ files: drafts.length, events });
  }

  #forget(): void {
    this.#waiting.clear();
    this.#events = 0;
    this.#frameBytes = 0;
  }
}
