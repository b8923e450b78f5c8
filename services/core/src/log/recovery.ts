/**
 * Recovery: one pass over the frames of the log, which verifies them, builds the position index, hands the frames to core's folds and finds
 * the end. It begins with the first frame, or behind the one that the caller names because it has a checkpoint of the folds there. Then the segments
 * before are trusted: their headers are checked now, and their frames when somebody reads them (`segment-indexing.ts`). Recovery decides between the two kinds of bad bytes:
 *
 *   torn tail   bytes at the end of the last segment that no acknowledged append needs: what a crash left of a write. They are set aside
 *               (`torn-tail.ts`) and the log goes on before them.
 *   damage      bytes that an acknowledged append needs. `open` throws `log_damaged` with the file, bytes and positions, and changes nothing (I-10).
 *
 * Bad bytes are damage when anything says that their position had been durable: a segment behind them (its header was written after everything
 * before it was synced), a later whole frame's durable position, the head marker, or the checkpoint that the caller has. They are a torn tail only when nothing
 * does. One loss is therefore beyond recovery's sight: bit rot in the newest appends after a crash, which no later frame, no marker and no checkpoint speaks
 * for, looks like a torn write.
 *
 * A full segment, raw or sealed, ends where the next header says, so it is read up to there. The last segment ends where zeros begin and go on to the end of the file.
 * Whole frames before a torn tail are kept although nobody was told of them: their append was cut between durable and answered.
 */
import { problem } from '@allsource/shared/errors';
import { must } from '@allsource/shared/lang';
import { type Position, POSITION_ZERO, position } from '@allsource/shared/model';
import { FRAME_ALIGNMENT, type Frame } from '@allsource/shared/protocol';
import { type Disk, type DiskFile, isOutOfSpace } from '../storage/disk.ts';
import type { LogAnchor, LogHead } from '../storage/log-store.ts';
import { MissingAnchor } from '../storage/missing-anchor.ts';
import { missingPositionsProblem } from '../storage/missing-positions.ts';
import { BlockCache } from './block-cache.ts';
import { FrameWalk, type WalkStep } from './frame-walk.ts';
import { type HeadMarker, readHeadMarker } from './head-marker.ts';
import { damageProblem, segmentProblem } from './log-damage.ts';
import type { NoticeListener } from './log-notice.ts';
import { SealedFile } from './sealed-file.ts';
import { readSegmentHeaders, type SegmentFile } from './segment-headers.ts';
import { Segment, SegmentList } from './segment-list.ts';
import { surveyTail, type TailSurvey } from './tail-survey.ts';
import { setTornTailAside } from './torn-tail.ts';

/** One window of the sequential pass: large enough that the thread-pool hop disappears in the read. */
const WINDOW_BYTES = 1024 * 1024;

export interface RecoveryOptions {
  readonly disk: Disk;
  readonly onFrame: (frame: Frame) => void;
  /** False: `onFrame` keeps no byte of a frame, so all of them are read into the same memory. */
  readonly keepsFrames: boolean;
  readonly onNotice: NoticeListener;
  /** The frame behind which the replay begins; null = with the first. */
  readonly after: LogAnchor | null;
  /** A frame that the caller knows to have been durable; null = none. */
  readonly durable: LogAnchor | null;
}

export interface RecoveredLog {
  readonly head: LogHead;
  readonly segments: SegmentList;
  /** The watermark that the newest frame tells of. What lies behind it was read but may never have been synced. */
  readonly durablePosition: Position;
}

/**
 * Recovers a log; null when the folder holds none. Throws `log_damaged` when acknowledged data is damaged or missing, and `MissingAnchor` when
 * the log does not hold the frame behind which the replay was to begin.
 */
export async function recoverLog(options: RecoveryOptions): Promise<RecoveredLog | null> {
  const files = await readSegmentHeaders(options.disk);
  const marker = await readHeadMarker(options.disk);
  const { durable } = options;
  const first = files[0];
  if (first === undefined) {
    const witnessed = lastOf(marker, durable);
    refuseMissingEnd(witnessed, { before: null, head: POSITION_ZERO });
    return null;
  }
  const { logId } = first.header;
  const own = { marker: ofLog(logId, marker), durable: ofLog(logId, durable) };
  const recovery = new LogRecovery(options, { first, ...own });
  const start = recovery.skipBefore(files);
  for (const [ordinal, file] of files.entries()) {
    if (ordinal < start) continue;
    const next = files[ordinal + 1];
    if (next === undefined) await recovery.readLast(file);
    else await recovery.readFull(file, next);
  }
  return recovery.finish();
}

/** A witness of this log; what tells of another log says nothing. */
function ofLog<T extends LogAnchor>(logId: Buffer, witness: T | null): T | null {
  return witness?.logId.equals(logId) === true ? witness : null;
}

/** How far the log was durable, as the witnesses tell; 0 when there are none. */
function lastOf(...witnesses: (LogAnchor | null)[]): Position {
  return position(Math.max(POSITION_ZERO, ...witnesses.map((witness) => witness?.position ?? 0)));
}

function refuseMissingEnd(
  witnessed: Position,
  end: { readonly before: string | null; readonly head: Position },
): void {
  if (witnessed <= end.head) return;
  throw missingPositionsProblem({
    before: end.before,
    after: null,
    firstPosition: position(end.head + 1),
    lastPosition: witnessed,
  });
}

// A segment is sealed when one behind it holds a durable frame.
function missingEndProblem(before: string, last: Position): Error {
  const next = position(last + 1);
  return missingPositionsProblem({ before, after: null, firstPosition: next, lastPosition: next });
}

class LogRecovery {
  readonly #options: RecoveryOptions;
  readonly #marker: HeadMarker | null;
  /** How far the log was durable, as the head marker and the caller's checkpoint tell; 0 when there are none. */
  readonly #witnessed: Position;
  readonly #segments = new SegmentList();
  readonly #logId: Buffer;
  readonly #partitionCount: number;
  #position: Position = POSITION_ZERO;
  #checksum = 0;
  #durablePosition: Position = POSITION_ZERO;
  /** The frame behind which the replay begins, until it is found; null when there is none or it was found. */
  #missing: LogAnchor | null;
  /** Read into again and again; null when frames are kept. */
  readonly #window: Buffer | null;

  constructor(
    options: RecoveryOptions,
    log: {
      readonly first: SegmentFile;
      readonly marker: HeadMarker | null;
      readonly durable: LogAnchor | null;
    },
  ) {
    const { logId, partitionCount } = log.first.header;
    this.#options = options;
    this.#marker = log.marker;
    this.#witnessed = lastOf(log.marker, log.durable);
    this.#logId = logId;
    this.#partitionCount = partitionCount;
    this.#missing = options.after;
    this.#window = options.keepsFrames ? null : Buffer.allocUnsafeSlow(WINDOW_BYTES);
  }

  /** Takes the segments before the replay's start on trust. Returns the ordinal of the first one to walk over. */
  skipBefore(files: readonly SegmentFile[]): number {
    const anchor = this.#missing;
    if (anchor === null) return 0;
    if (!anchor.logId.equals(this.#logId)) throw new MissingAnchor(anchor, 'it is of another log');
    const next = anchor.position + 1;
    const start = files.findLastIndex(({ header }) => header.firstPosition <= next);
    const { header } = must(files[start], 'the first segment begins at position 1');
    if (header.firstPosition === next) this.#foundAnchor(anchor, header.previousChecksum);
    for (const file of files.slice(0, start)) this.#addSegment(file, { isIndexed: false });
    return start;
  }

  #foundAnchor(anchor: LogAnchor, checksum: number): void {
    if (checksum !== anchor.checksum) throw new MissingAnchor(anchor, 'another frame ends there');
    this.#missing = null;
    this.#position = anchor.position;
    this.#checksum = checksum;
  }

  finish(): RecoveredLog {
    if (this.#missing !== null)
      throw new MissingAnchor(this.#missing, `the log ends at position ${this.#position}`);
    return {
      head: {
        position: this.#position,
        checksum: this.#checksum,
        logId: this.#logId,
        partitionCount: this.#partitionCount,
      },
      segments: this.#segments,
      durablePosition: this.#durablePosition,
    };
  }

  /** Reads a segment up to where the next one's header says that it begins. */
  async readFull(file: SegmentFile, next: SegmentFile): Promise<void> {
    const { firstPosition, previousChecksum } = next.header;
    const stop = await this.#readFrames(file, (walk) => walk.position >= firstPosition);
    if (stop.step !== null) throw await this.#fullProblem({ file, next, ...stop, step: stop.step });
    if (stop.walk.position !== firstPosition || stop.walk.checksum !== previousChecksum)
      throw segmentProblem(next.name, `it does not follow the last frame of ${file.name}`);
  }

  /** Reads the last segment to its end and sets a torn tail aside. */
  async readLast(file: SegmentFile): Promise<void> {
    if (file.sealed !== null) throw missingEndProblem(file.name, file.sealed.lastPosition);
    const { walk, step } = await this.#readFrames(file, () => false);
    const survey = await this.#survey(file, walk);
    const isTorn = survey.endOffset !== null;
    if (isTorn && this.#wasDurable(walk.position, survey))
      throw damageProblem({
        segment: file.name,
        offset: walk.offset,
        endOffset: survey.nextFrame?.offset ?? survey.endOffset,
        firstPosition: walk.position,
        lastPosition: this.#lastDamaged(survey),
        reason: damageReason(must(step, 'the walk of the last segment ends with a step'), walk),
      });
    refuseMissingEnd(this.#witnessed, { before: file.name, head: this.#position });
    if (survey.endOffset !== null)
      await this.#setAside({
        segment: file.name,
        offset: walk.offset,
        endOffset: survey.endOffset,
      });
  }

  /** Walks and takes frames until `isDone` or until no good frame follows; `step` then says why. */
  async #readFrames(
    file: SegmentFile,
    isDone: (walk: FrameWalk) => boolean,
  ): Promise<{ readonly walk: FrameWalk; readonly step: WalkStep | null }> {
    const segment = this.#addSegment(file, { isIndexed: true });
    const source = await this.#openSource(file);
    try {
      const logId = this.#logId;
      const window = this.#window;
      const walk = new FrameWalk({
        source,
        logId,
        start: segment.start,
        end: file.end,
        window,
      });
      // The first window of each segment is waited for, so that a signal or a timer has its turn in a long recovery.
      await walk.fill(WINDOW_BYTES);
      while (!isDone(walk)) {
        const step = walk.step();
        if (step.kind === 'frame') this.#take(segment, step);
        else if (step.kind === 'more') await this.#fill(walk, step.bytesNeeded);
        else return { walk, step };
      }
      return { walk, step: null };
    } finally {
      await source.close();
    }
  }

  async #openSource({ name, sealed }: SegmentFile): Promise<SealedFile | DiskFile> {
    const { disk } = this.#options;
    return sealed === null
      ? disk.open(name, 'read')
      : SealedFile.open(disk, name, new BlockCache(0));
  }

  // Memory that was read into a moment ago is in the processor's cache, and a blocking read into it takes less time than the way to another thread.
  async #fill(walk: FrameWalk, bytesNeeded: number): Promise<void> {
    const bytes = Math.max(WINDOW_BYTES, bytesNeeded);
    if (this.#window === null) await walk.fill(bytes);
    else walk.fillNow(bytes);
  }

  #addSegment(file: SegmentFile, { isIndexed }: { readonly isIndexed: boolean }): Segment {
    const { firstPosition, previousChecksum } = file.header;
    // A file that something cut short may end anywhere; frames begin at multiples of 8 only.
    const capacity = file.end - (file.end % FRAME_ALIGNMENT);
    const segment = new Segment({ firstPosition, previousChecksum, capacity, isIndexed });
    if (file.sealed !== null) segment.becomeSealed(file.sealed);
    this.#segments.push(segment);
    return segment;
  }

  #take(segment: Segment, found: { readonly frame: Frame; readonly offset: number }): void {
    const { frame, offset } = found;
    const { position: start, previousChecksum, checksum, lastPosition } = frame;
    this.#requireMarked(segment, found);
    if (!segment.isSealed) {
      segment.index.note({ position: start, offset, previousChecksum });
      segment.end = offset + frame.bytes.length;
    }
    this.#position = lastPosition;
    this.#checksum = checksum;
    this.#durablePosition = frame.durablePosition;
    if (this.#missing === null) this.#options.onFrame(frame);
    else if (lastPosition === this.#missing.position) this.#foundAnchor(this.#missing, checksum);
    else if (lastPosition > this.#missing.position)
      throw new MissingAnchor(this.#missing, 'no frame ends there');
  }

  // The marker names the end of one frame. A log that has another frame there is another history of the same log.
  #requireMarked(
    segment: Segment,
    found: { readonly frame: Frame; readonly offset: number },
  ): void {
    const { frame, offset } = found;
    const marker = this.#marker;
    if (marker === null || marker.position < frame.position) return;
    if (marker.position > frame.lastPosition) return;
    if (marker.position === frame.lastPosition && marker.checksum === frame.checksum) return;
    throw damageProblem({
      segment: segment.name,
      offset,
      endOffset: offset + frame.bytes.length,
      firstPosition: frame.position,
      lastPosition: frame.lastPosition,
      reason: `the file 'head' says that another frame was durable at position ${marker.position}`,
    });
  }

  async #survey(file: SegmentFile, walk: FrameWalk): Promise<TailSurvey> {
    const source = await this.#openSource(file);
    const logId = this.#logId;
    const { offset } = walk;
    try {
      return await surveyTail({
        source,
        logId,
        offset,
        end: file.end,
        position: walk.position,
      });
    } finally {
      await source.close();
    }
  }

  #wasDurable(place: Position, survey: TailSurvey): boolean {
    return Math.max(survey.durablePosition, this.#witnessed) >= place;
  }

  #lastDamaged(survey: TailSurvey): Position | null {
    if (survey.nextFrame !== null) return position(survey.nextFrame.position - 1);
    return this.#witnessed === POSITION_ZERO ? null : this.#witnessed;
  }

  async #fullProblem(stop: {
    readonly file: SegmentFile;
    readonly next: SegmentFile;
    readonly walk: FrameWalk;
    readonly step: WalkStep;
  }): Promise<Error> {
    const { file, next, walk, step } = stop;
    const survey = await this.#survey(file, walk);
    const lastPosition = position(next.header.firstPosition - 1);
    if (survey.endOffset === null)
      return missingPositionsProblem({
        before: file.name,
        after: next.name,
        firstPosition: walk.position,
        lastPosition,
      });
    return damageProblem({
      segment: file.name,
      offset: walk.offset,
      endOffset: survey.nextFrame?.offset ?? survey.endOffset,
      firstPosition: walk.position,
      lastPosition: survey.nextFrame === null ? lastPosition : this.#lastDamaged(survey),
      reason: damageReason(step, walk),
    });
  }

  async #setAside(torn: {
    readonly segment: string;
    readonly offset: number;
    readonly endOffset: number;
  }): Promise<void> {
    const { disk, onNotice } = this.#options;
    const { segment, offset, endOffset } = torn;
    try {
      const savedAs = await setTornTailAside(disk, torn);
      const bytes = endOffset - offset;
      onNotice({ kind: 'torn_tail_set_aside', segment, offset, bytes, savedAs });
    } catch (thrown) {
      if (!isOutOfSpace(thrown)) throw thrown;
      throw problem(
        'storage_full',
        `Segment ${segment} ends in a torn write of ${endOffset - offset} bytes, and there is no space to keep a copy of it before it is cleared. Free some space and start again.`,
        { segment, offset, end_offset: endOffset },
        thrown,
      );
    }
  }
}

function damageReason(step: WalkStep, walk: FrameWalk): string {
  return step.kind === 'damaged' ? step.reason : `no frame where position ${walk.position} belongs`;
}
