/**
 * The log in a folder of segment files: the default engine under core.
 *
 * Promise: the port's (`storage/log-store.ts`): what was acknowledged is durable (I-1), and no read passes the head (I-4). One store owns the folder; the lock that keeps other processes out is the caller's, and a second
 * store in the same process fences the first (`writer-epoch.ts`).
 *
 *     <folder>/00000000000000000001.seg    segments (`segment.ts`); the last one is active
 *     <folder>/00000000000000000001.sealed segments that were full and have been compressed (`sealing.ts`)
 *     <folder>/head                        how far the log was durable at the last clean close or roll (`head-marker.ts`)
 *     <folder>/writer                      epoch of the newest writer
 *     <folder>/prepared-*.tmp              segments to be (`segment-preparer.ts`)
 *     <folder>/sealing-*.tmp               sealed segments in the making
 *     <folder>/torn/                       what crashes left of appends that nobody was told of; may be deleted at any time
 *
 * Order: an append is durable before the head moves, and the head moves before the append resolves; reads end at the head. A crash at any point
 * leaves what recovery (`recovery.ts`) turns into a log that ends with a whole frame at or behind every acknowledged one.
 *
 * Failure policy: a full disk refuses the append and leaves the store usable. Any other failure of a write or a sync poisons it: no further append, no further
 * sync, while reads go on (I-12); a fresh store that opens the folder verifies everything again and rewrites what may not have reached the disk.
 */
import { randomBytes } from 'node:crypto';
import { assert, must } from '@allsource/shared/lang';
import { type Position, systemClock } from '@allsource/shared/model';
import { type Frame, type FrameEvent, LOG_ID_BYTES } from '@allsource/shared/protocol';
import { asError } from '../storage/disk.ts';
import { headAfter, isNextAfter } from '../storage/frame-chain.ts';
import type { LogHead, LogStore, ReplayOnOpen, StoreAppendOutcome } from '../storage/log-store.ts';

import { writeHeadMarker } from './head-marker.ts';
import { readEvent, readFrames } from './log-reader.ts';
import { type FileLogSettings, type OpenLog, openLog } from './open-log.ts';
import { SEALING_RETRY_MS, type SealingStatus } from './sealing.ts';
import { SEGMENT_HEADER_BYTES } from './segment.ts';
import { FencedFailure } from './write-faults.ts';
import type { Stretch } from '../storage/stretch.ts';

/** The folder, the segment size and the partitions must be given; the rest has the machine's own as a default. */
export type FileLogOptions = Pick<FileLogSettings, 'disk' | 'segmentBytes' | 'partitionCount'> &
  Partial<FileLogSettings>;

type StoreState = 'new' | 'opening' | 'open' | 'closed';

export class FileLogStore implements LogStore {
  readonly #settings: FileLogSettings;
  #state: StoreState = 'new';
  #log: OpenLog | null = null;
  #head: LogHead | null = null;
  #appending: Promise<StoreAppendOutcome> | null = null;
  /** Why the store takes no appends. */
  #poison: Error | null = null;
  /** True from an append that found no space to the next one that did. */
  #isFull = false;

  constructor(options: FileLogOptions) {
    const pages = Math.max(2, Math.ceil(options.segmentBytes / SEGMENT_HEADER_BYTES));
    this.#settings = {
      onNotice: () => undefined,
      clock: systemClock,
      nowMs: () => performance.now(),
      makeLogId: () => randomBytes(LOG_ID_BYTES),
      sealer: null,
      sealingRetryMs: SEALING_RETRY_MS,
      onShortLived: () => undefined,
      ...options,
      segmentBytes: pages * SEGMENT_HEADER_BYTES,
    };
  }

  /** True after a failure of the disk or after another writer has opened the log: reads go on, appends do not. */
  get isPoisoned(): boolean {
    return this.#poison !== null;
  }

  /** What has become of sealing; null where it is off or the store is not open. */
  get sealing(): SealingStatus | null {
    return this.#log?.sealing?.status ?? null;
  }

  /** Resolves when nothing is being sealed: all segments that are full by now are, but for one that is to be tried again later. */
  async sealed(): Promise<void> {
    await this.#log?.writer.choresDone();
    await this.#log?.sealing?.idle();
  }

  /** Bytes of the segment files of an open log, their unused room included. */
  get storageBytes(): number {
    return this.#log?.segments.bytes ?? 0;
  }

  async open(replay: ReplayOnOpen = {}): Promise<LogHead> {
    assert(this.#state === 'new', 'a store is opened once');
    this.#state = 'opening';
    const log = await openLog(this.#settings, replay);
    this.#log = log;
    this.#head = log.head;
    this.#state = 'open';
    return log.head;
  }

  /** The bytes of the frames must stay as they are until the append has resolved. */
  async append(frames: readonly Frame[]): Promise<StoreAppendOutcome> {
    const { log, head } = this.#opened();
    assert(this.#appending === null, 'one append at a time');
    assert(this.#state === 'open', 'an append to an open store');
    if (this.#poison !== null) return { kind: 'failed', cause: this.#poison };
    if (!isNextAfter(head, frames)) return { kind: 'head_moved', head: head.position };
    this.#appending = this.#write(log, head, frames);
    try {
      return await this.#appending;
    } finally {
      this.#appending = null;
    }
  }

  async #write(log: OpenLog, head: LogHead, frames: readonly Frame[]): Promise<StoreAppendOutcome> {
    const outcome = await log.writer.append(head, frames);
    switch (outcome.kind) {
      case 'appended':
        this.#head = headAfter(head, frames);
        if (this.#isFull) this.#settings.onNotice({ kind: 'space_again' });
        this.#isFull = false;
        return outcome;
      case 'full':
        if (!this.#isFull) this.#settings.onNotice({ kind: 'disk_full', cause: outcome.cause });
        this.#isFull = true;
        return outcome;
      case 'busy':
        return outcome;
      case 'fenced':
        this.#stopWith(log, new FencedFailure());
        return { kind: 'head_moved', head: head.position };
      case 'failed':
        this.#stopWith(log, outcome.cause);
        return outcome;
    }
  }

  #stopWith(log: OpenLog, poison: Error): void {
    this.#poison = poison;
    log.sealing?.stop();
    this.#settings.onNotice({ kind: 'writer_poisoned', cause: poison });
  }

  read(from: Position): AsyncIterable<Stretch> {
    const { log, head } = this.#opened();
    const { segments, files, indexing } = log;
    const { logId, position: last } = head;
    return readFrames({ segments, files, indexing, logId, head: last }, from);
  }

  async readEvent(at: Position): Promise<FrameEvent | null> {
    const { log, head } = this.#opened();
    assert(at >= 1 && at <= head.position, 'a durable position');
    return readEvent({ ...log, logId: head.logId, head: head.position }, at);
  }

  #opened(): { readonly log: OpenLog; readonly head: LogHead } {
    return {
      log: must(this.#log, 'the store has been opened'),
      head: must(this.#head, 'the store has been opened'),
    };
  }

  /** Waits for the append under way, marks the head and releases everything. Reads that are under way fail. */
  async close(): Promise<void> {
    await this.#appending;
    this.#state = 'closed';
    const log = this.#log;
    if (log === null) return;
    this.#log = null;
    await log.sealing?.close();
    await log.writer.close();
    if (this.#poison === null) await this.#markHead(log);
    await log.files.close();
    await log.epoch.close();
  }

  // A poisoned store marks nothing: its disk is in doubt, or the log belongs to another writer.
  async #markHead(log: OpenLog): Promise<void> {
    const { logId, position, checksum } = must(this.#head, 'the store has been opened');
    try {
      if (log.epoch.isCurrent())
        await writeHeadMarker(this.#settings.disk, { logId, position, checksum });
    } catch (thrown) {
      const cause = asError(thrown);
      this.#settings.onNotice({ kind: 'chore_failed', chore: 'mark_head', cause });
    }
  }
}
