/**
 * Reads frames for everybody but recovery. A read shows what was durable when it was asked for, never more: its end is taken at the call. Every frame
 * is verified on every read (`frame-walk.ts`); a frame that was durable and no longer verifies is a `log_damaged` problem that names
 * the place. It is never served and never skipped (I-10).
 *
 * The first window reaches from the nearest mark to the next and is read blocking: entity reads fetch frames one by one, and 16 KiB from the
 * page cache take 2 us where the thread pool takes 70. Longer reads go through the thread pool in windows of 256 KiB, and
 * their frames are handed out in stretches of 32 KiB with a turn of the event loop between two: appends are taken and acknowledged while the log is read.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { assert } from '@allsource/shared/lang';
import { type Position, position } from '@allsource/shared/model';
import type { Frame, FrameEvent } from '@allsource/shared/protocol';
import { FrameWalk, type WalkStep } from './frame-walk.ts';
import { damageProblem } from './log-damage.ts';
import type { Mark, MarkSpan } from './position-index.ts';
import { readSealedEvent } from './sealed-event.ts';
import type { SegmentFiles } from './segment-files.ts';
import type { SegmentIndexing } from './segment-indexing.ts';
import type { Segment, SegmentList } from './segment-list.ts';
import type { Stretch } from '../storage/stretch.ts';

/** A frame larger than this is not likely to be in the page cache whole, nor quick to copy. */
const BLOCKING_WINDOW_BYTES_MAX = 64 * 1024;
const WINDOW_BYTES = 256 * 1024;
/** Single events of 300 bytes take 1 us each to verify and to send. */
const STRETCH_BYTES_MIN = 32 * 1024;

/** The part of a log that a read may show. */
export interface ReadableLog {
  readonly logId: Buffer;
  readonly segments: SegmentList;
  readonly files: SegmentFiles;
  readonly indexing: SegmentIndexing;
  /** The last durable position. */
  readonly head: Position;
}

interface SegmentRead {
  readonly segment: Segment;
  readonly from: Position;
  readonly lastPosition: Position;
  readonly end: number;
}

/** The frames from the one that holds `from` to the log's head, in order. */
export function readFrames(log: ReadableLog, from: Position): AsyncIterable<Stretch> {
  assert(from >= 1, 'positions begin at 1');
  const last = log.segments.at(log.segments.ordinalHolding(log.head));
  // A segment that was not read since the start is sealed: its end stays where it is.
  return stretchesOf(log, { from, end: last.isIndexed ? last.end : null });
}

/** The event at a durable position, out of a sealed segment and without the rest of its frame; null where the frame itself has to be read. */
export async function readEvent(log: ReadableLog, at: Position): Promise<FrameEvent | null> {
  const segment = log.segments.at(log.segments.ordinalHolding(at));
  if (!segment.isSealed) return null;
  const lease = await log.files.lease(segment.name);
  try {
    return lease.sealed === null ? null : readSealedEvent(lease.sealed, at);
  } finally {
    await lease.release();
  }
}

async function* stretchesOf(
  log: ReadableLog,
  range: { readonly from: Position; readonly end: number | null },
): AsyncGenerator<Stretch> {
  if (range.from > log.head) return;
  const { segments, head } = log;
  const last = segments.ordinalHolding(head);
  for (let ordinal = segments.ordinalHolding(range.from); ordinal <= last; ordinal++) {
    await log.indexing.ensure(ordinal);
    const segment = segments.at(ordinal);
    const isLast = ordinal === last;
    const lastPosition = isLast ? head : position(segments.at(ordinal + 1).firstPosition - 1);
    const from = position(Math.max(range.from, segment.firstPosition));
    yield* stretchesOfSegment(log, {
      segment,
      from,
      lastPosition,
      end: isLast ? (range.end ?? segment.end) : segment.end,
    });
  }
}

async function* stretchesOfSegment(log: ReadableLog, read: SegmentRead): AsyncGenerator<Stretch> {
  const { segment, from, end } = read;
  // The index and the name are taken together: the segment may be sealed while this read goes on in the raw file.
  const { index } = segment;
  const lease = await log.files.lease(segment.name);
  const marks = lease.sealed ?? index;
  try {
    const span = marks.find(from);
    const walk = new FrameWalk({ source: lease, logId: log.logId, start: span.start, end });
    walk.fillNow(firstWindowBytes(span, end));
    let stretch: Frame[] = [];
    // Whoever wants one frame only is not kept waiting for others.
    let missingBytes = 1;
    while (walk.position <= read.lastPosition) {
      const step = walk.step();
      if (step.kind === 'frame') {
        if (step.frame.lastPosition < from) continue;
        stretch.push(step.frame);
        missingBytes -= step.frame.bytes.length;
        if (missingBytes > 0) continue;
        yield stretch;
        await nextTurn();
      } else if (stretch.length > 0) {
        yield stretch;
      } else if (step.kind === 'more') {
        const bytes = Math.max(WINDOW_BYTES, step.bytesNeeded);
        log.files.onShortLived(bytes);
        await walk.fill(bytes);
      } else {
        throw readProblem({ ...read, next: marks.find(walk.position).next }, walk, step);
      }
      stretch = [];
      missingBytes = STRETCH_BYTES_MIN;
    }
    if (stretch.length > 0) yield stretch;
  } finally {
    await lease.release();
  }
}

function firstWindowBytes(span: MarkSpan, end: number): number {
  return Math.min((span.next?.offset ?? end) - span.start.offset, BLOCKING_WINDOW_BYTES_MAX);
}

// The next mark is the nearest place behind the damage that is known for sure.
function readProblem(
  read: SegmentRead & { readonly next: Mark | null },
  walk: FrameWalk,
  step: WalkStep,
): Error {
  const { next } = read;
  const isBehindRead = next === null || next.position > read.lastPosition;
  return damageProblem({
    segment: read.segment.name,
    offset: walk.offset,
    endOffset: isBehindRead ? read.end : next.offset,
    firstPosition: walk.position,
    lastPosition: isBehindRead ? read.lastPosition : position(next.position - 1),
    reason:
      step.kind === 'damaged' ? step.reason : `no frame where position ${walk.position} belongs`,
  });
}
