/**
 * Opens the folder of a log: fences the former writer, clears what it had prepared, recovers or makes the log, and makes durable what was read
 * before anybody is shown it or builds on it: the names first, then the end of the last segment. A process that was killed leaves both where only
 * a loss of power can tell that they were not. Whatever fails, nothing stays open.
 */
import { problem } from '@allsource/shared/errors';
import { type Clock, position, POSITION_ZERO } from '@allsource/shared/model';
import { type Disk, isOutOfSpace } from '../storage/disk.ts';
import type { LogHead, ReplayOnOpen } from '../storage/log-store.ts';
import { MissingAnchor } from '../storage/missing-anchor.ts';
import { adoptSegment } from './adopt-segment.ts';
import type { NoticeListener } from './log-notice.ts';
import { LogWriter } from './log-writer.ts';
import { recoverLog } from './recovery.ts';
import { sealRestored } from './restored-segments.ts';
import { RollChores, type WritableSegment } from './roll-chores.ts';
import { settleSealedLeftovers } from './sealed-leftovers.ts';
import { Sealing, type SegmentSealer } from './sealing.ts';
import { SegmentFiles } from './segment-files.ts';
import { SegmentIndexing } from './segment-indexing.ts';
import { type Segment, SegmentList } from './segment-list.ts';
import { SegmentPreparer } from './segment-preparer.ts';
import { SyncChoice } from './sync-choice.ts';
import { rewriteTail } from './tail-rewrite.ts';
import { synced } from './write-faults.ts';
import { takeWriterEpoch, type WriterEpoch } from './writer-epoch.ts';

export interface FileLogSettings {
  /** The folder of this log alone. */
  readonly disk: Disk;
  /** Bytes of a segment file; the store rounds them up to whole pages of 4096, two at least. */
  readonly segmentBytes: number;
  /** Used when the log is made; an existing log keeps its own. */
  readonly partitionCount: number;
  readonly onNotice: NoticeListener;
  readonly clock: Clock;
  /** A clock that never goes back, in milliseconds. */
  readonly nowMs: () => number;
  /** Names a log that is made, with eight bytes. */
  readonly makeLogId: () => Buffer;
  /** Makes sealed segments of those that are full; null = they stay as they are. The store closes it. */
  readonly sealer: SegmentSealer | null;
  readonly sealingRetryMs: number;
  /** See `BlockCache`. */
  readonly onShortLived: (bytes: number) => void;
}

/** What an open store holds. */
export interface OpenLog {
  readonly head: LogHead;
  readonly segments: SegmentList;
  readonly files: SegmentFiles;
  readonly indexing: SegmentIndexing;
  readonly writer: LogWriter;
  readonly epoch: WriterEpoch;
  readonly sealing: Sealing | null;
}

/**
 * Opens a log or makes one. Throws `log_damaged`, or `storage_full` when there is no space to make or to recover it, or `MissingAnchor` when the
 * replay was to begin at a frame that the log does not hold.
 */
export async function openLog(settings: FileLogSettings, replay: ReplayOnOpen): Promise<OpenLog> {
  await settings.disk.makeFolder('');
  const epoch = await takeWriterEpoch(settings.disk);
  try {
    return await new LogOpening(settings, epoch).open(replay);
  } catch (thrown) {
    await epoch.close();
    if (!isOutOfSpace(thrown)) throw thrown;
    throw problem(
      'storage_full',
      `There is no space for the log: ${settings.segmentBytes} bytes are needed for a segment. Free some space and start again.`,
      { segment_bytes: settings.segmentBytes },
      thrown,
    );
  }
}

class LogOpening {
  readonly #settings: FileLogSettings;
  readonly #epoch: WriterEpoch;
  readonly #preparer: SegmentPreparer;

  constructor(settings: FileLogSettings, epoch: WriterEpoch) {
    const { disk, segmentBytes, onNotice } = settings;
    this.#settings = settings;
    this.#epoch = epoch;
    this.#preparer = new SegmentPreparer({ disk, segmentBytes, onNotice, epoch: epoch.value });
  }

  async open(replay: ReplayOnOpen): Promise<OpenLog> {
    const { onFrame = () => undefined, keepsFrames = true, after = null, durable = null } = replay;
    const { disk, onNotice, nowMs } = this.#settings;
    await this.#preparer.removeLeftovers();
    // From here on no former writer can name a segment. One that was killed may have named its last without a sync.
    await synced(disk.syncFolder(''));
    await settleSealedLeftovers(disk, onNotice);
    await sealRestored({ disk, onNotice, epoch: this.#epoch.value, nowMs });
    const recovered = await recoverLog({
      disk,
      onFrame,
      keepsFrames,
      onNotice,
      after,
      durable,
    });
    if (recovered === null) {
      if (after !== null) throw new MissingAnchor(after, 'the log is empty');
      return this.#make();
    }
    const { head, segments, durablePosition } = recovered;
    const segment = segments.active;
    const file = await disk.open(segment.name, 'write');
    try {
      await rewriteTail(file, segment, durablePosition);
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
    return this.#opened({ head, segments, active: { segment, file } });
  }

  async #make(): Promise<OpenLog> {
    const { disk, segmentBytes, partitionCount, clock, makeLogId } = this.#settings;
    const head: LogHead = {
      position: POSITION_ZERO,
      checksum: 0,
      logId: makeLogId(),
      partitionCount,
    };
    const prepared = await this.#preparer.take(segmentBytes);
    const { file } = prepared;
    try {
      const segment = await adoptSegment(disk, prepared, {
        header: {
          logId: head.logId,
          partitionCount,
          previousChecksum: 0,
          firstPosition: position(1),
          createdAt: clock.nowMicros(),
        },
        requireOwnership: () => undefined,
      });
      const segments = new SegmentList();
      segments.push(segment);
      return this.#opened({ head, segments, active: { segment, file } });
    } catch (thrown) {
      await this.#preparer.discard(prepared);
      throw thrown;
    }
  }

  #opened(log: {
    readonly head: LogHead;
    readonly segments: SegmentList;
    readonly active: WritableSegment;
  }): OpenLog {
    const { disk, onNotice, clock, segmentBytes, nowMs } = this.#settings;
    const { head, segments } = log;
    const { logId } = head;
    const files = new SegmentFiles(disk, this.#settings.onShortLived);
    const sealing = this.#sealing(segments, files);
    const onRolled = (active: Segment) => sealing?.begin(active);
    onRolled(segments.active);
    const writer = new LogWriter({
      disk,
      clock,
      segmentBytes,
      segments,
      active: log.active,
      preparer: this.#preparer,
      chores: new RollChores({ disk, logId, onNotice, onRolled }),
      epoch: this.#epoch,
      syncChoice: new SyncChoice(nowMs),
    });
    const indexing = new SegmentIndexing({ logId, segments, files });
    return { head, segments, writer, epoch: this.#epoch, files, indexing, sealing };
  }

  #sealing(segments: SegmentList, files: SegmentFiles): Sealing | null {
    const { disk, onNotice, nowMs, sealer, sealingRetryMs: retryMs } = this.#settings;
    if (sealer === null) return null;
    return new Sealing({
      disk,
      segments,
      files,
      sealer,
      onNotice,
      epoch: this.#epoch.value,
      isOwner: () => this.#epoch.isCurrent(),
      retryMs,
      nowMs,
    });
  }
}
