/**
 * The write half of the file log: puts the frames of one append into segments, durably, or takes them all back.
 *
 * Promise: after `appended` every frame is durable and named by the index. After `full` nothing of the append is left that recovery
 * could take for a frame. After anything else it is unknown what is durable, and the caller writes nothing more.
 *
 * Order of an append: plan the runs (`append-plan.ts`); have a prepared, zero-filled segment for every run that needs one, so that a full disk is
 * met here, before a byte is written; then for each run: roll, check the epoch, one gathered write, one sync; check the epoch again; only then
 * note the frames in the index. Check and write stand in one turn of the event loop.
 *
 * What a crash leaves: a prefix of the runs as whole frames, which recovery keeps, and a torn rest in the last segment, which it sets aside.
 *
 * Failure policy (I-12): a full disk during a write is taken back: new segments are removed, newest first, then what was written into the first
 * one is zeroed and synced, so at each point the folder is a valid log. A shortage of file handles is met where segments are made ready, before a byte
 * is written, and refuses that append alone. A failed sync is never repeated on the same handle and nothing is taken back after it.
 */
import { assert, must } from '@allsource/shared/lang';
import type { Clock } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import { asError, type Disk, isOutOfSpace, isShortage } from '../storage/disk.ts';
import type { LogHead } from '../storage/log-store.ts';
import { adoptSegment } from './adopt-segment.ts';
import { planRuns, type Run } from './append-plan.ts';
import type { RollChores, WritableSegment } from './roll-chores.ts';
import { SEGMENT_HEADER_BYTES } from './segment.ts';
import type { Segment, SegmentList } from './segment-list.ts';
import type { PreparedSegment, SegmentPreparer } from './segment-preparer.ts';
import type { SyncChoice } from './sync-choice.ts';
import { zeroRange } from './torn-tail.ts';
import { FencedFailure, synced, syncedNow } from './write-faults.ts';
import type { WriterEpoch } from './writer-epoch.ts';

export type WriteOutcome =
  | { readonly kind: 'appended' }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'full'; readonly cause: Error }
  | { readonly kind: 'busy'; readonly cause: Error }
  | { readonly kind: 'failed'; readonly cause: Error };

/** A run on its way: where its bytes begin. */
interface PlacedRun {
  readonly run: Run;
  readonly place: WritableSegment;
  readonly offset: number;
}

/** The second segment is prepared when this part of the first is used, so that a small log stays one file; later ones at once. */
const PREPARE_AT = 1 / 4;

export interface LogWriterParts {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly segmentBytes: number;
  readonly segments: SegmentList;
  readonly active: WritableSegment;
  readonly preparer: SegmentPreparer;
  readonly chores: RollChores;
  readonly epoch: WriterEpoch;
  readonly syncChoice: SyncChoice;
}

export class LogWriter {
  readonly #parts: LogWriterParts;
  #active: WritableSegment;
  /** Segments that the running append has left behind; sealed when it has succeeded. */
  #left: WritableSegment[] = [];

  constructor(parts: LogWriterParts) {
    this.#parts = parts;
    this.#active = parts.active;
  }

  /** Appends frames behind `head`. */
  async append(head: LogHead, frames: readonly Frame[]): Promise<WriteOutcome> {
    const { segment } = this.#active;
    const { segmentBytes, epoch } = this.#parts;
    const runs = planRuns(frames, { roomBytes: segment.capacity - segment.end, segmentBytes });
    const placed: PlacedRun[] = [];
    const prepared: PreparedSegment[] = [];
    try {
      if (!epoch.isCurrent()) return { kind: 'fenced' };
      await this.#reserve(runs, prepared);
      await this.#write(runs, { head, prepared, placed });
    } catch (thrown) {
      return await this.#failure(thrown, placed);
    } finally {
      for (const unused of prepared) await this.#parts.preparer.discard(unused);
    }
    this.#settle(placed);
    return { kind: 'appended' };
  }

  async #reserve(runs: readonly Run[], prepared: PreparedSegment[]): Promise<void> {
    for (const run of runs)
      if (run.newSegmentBytes !== null)
        prepared.push(await this.#parts.preparer.take(run.newSegmentBytes));
  }

  async #write(
    runs: readonly Run[],
    append: {
      readonly head: LogHead;
      readonly prepared: PreparedSegment[];
      readonly placed: PlacedRun[];
    },
  ): Promise<void> {
    const { prepared, placed } = append;
    for (const run of runs) {
      if (run.newSegmentBytes !== null) {
        await this.#roll(must(prepared[0], 'a segment for each run'), append.head, run);
        prepared.shift();
      }
      const place = this.#active;
      const offset = place.segment.end;
      placed.push({ run, place, offset });
      const bytes = run.frames.map((frame) => frame.bytes);
      this.#requireOwnership();
      place.file.writeNow(bytes, offset);
      await this.#sync(run);
    }
    this.#requireOwnership();
  }

  #requireOwnership(): void {
    if (!this.#parts.epoch.isCurrent()) throw new FencedFailure();
  }

  async #sync(run: Run): Promise<void> {
    const { syncChoice } = this.#parts;
    const { file } = this.#active;
    if (syncChoice.begin({ frames: run.frames.length, bytes: run.bytes }))
      syncedNow(() => file.datasyncNow());
    else await synced(file.datasync());
    syncChoice.end();
  }

  async #roll(prepared: PreparedSegment, head: LogHead, run: Run): Promise<void> {
    await this.#parts.chores.done();
    const first = must(run.frames[0], 'a run has a frame');
    const { disk, segments, clock } = this.#parts;
    const segment = await adoptSegment(disk, prepared, {
      header: {
        logId: head.logId,
        partitionCount: head.partitionCount,
        previousChecksum: first.previousChecksum,
        firstPosition: first.position,
        createdAt: clock.nowMicros(),
      },
      requireOwnership: () => this.#requireOwnership(),
    });
    const before = this.#active;
    if (before.segment.firstPosition === segment.firstPosition) {
      segments.pop();
      await before.file.close();
    } else {
      this.#left.push(before);
    }
    segments.push(segment);
    this.#active = { segment, file: prepared.file };
  }

  #settle(placed: readonly PlacedRun[]): void {
    for (const { run, place, offset } of placed) noteFrames(place.segment, offset, run.frames);
    const { segment } = this.#active;
    if (this.#left.length > 0) this.#parts.chores.begin(this.#left, segment);
    this.#left = [];
    const isGrowing =
      this.#parts.segments.count > 1 || segment.end >= segment.capacity * PREPARE_AT;
    if (isGrowing) this.#parts.preparer.prepareNext(segment.end / segment.capacity);
  }

  async #failure(thrown: unknown, placed: readonly PlacedRun[]): Promise<WriteOutcome> {
    const cause = asError(thrown);
    if (isShortage(thrown) && placed.length === 0) return { kind: 'busy', cause };
    if (!isOutOfSpace(thrown)) return { kind: 'failed', cause };
    try {
      await this.#takeBack(placed);
      return { kind: 'full', cause };
    } catch (second) {
      return { kind: 'failed', cause: asError(second) };
    }
  }

  /** Leaves the log as it was before the append; see the failure policy above for the order. */
  async #takeBack(placed: readonly PlacedRun[]): Promise<void> {
    const { disk, segments } = this.#parts;
    const first = placed[0];
    if (first === undefined) return;
    this.#requireOwnership();
    while (this.#active !== first.place) {
      await this.#active.file.close();
      await disk.unlink(segments.pop().name);
      await synced(disk.syncFolder(''));
      this.#active = must(this.#left.pop(), 'the segment before');
    }
    this.#requireOwnership();
    zeroRange(first.place.file, first.offset, first.offset + first.run.bytes);
    await synced(first.place.file.datasync());
  }

  /** Resolves when the chores of the last roll are done. */
  async choresDone(): Promise<void> {
    await this.#parts.chores.done();
  }

  /** Ends the chores and gives the handles back. May be called twice. */
  async close(): Promise<void> {
    await this.#parts.chores.done();
    await this.#active.file.close();
    for (const left of this.#left) await left.file.close();
    await this.#parts.preparer.close();
  }
}

function noteFrames(segment: Segment, from: number, frames: readonly Frame[]): void {
  assert(segment.end === from && from >= SEGMENT_HEADER_BYTES, 'frames follow each other');
  for (const frame of frames) {
    const { position: start, previousChecksum } = frame;
    segment.index.note({ position: start, offset: segment.end, previousChecksum });
    segment.end += frame.bytes.length;
  }
}
