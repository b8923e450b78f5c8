/**
 * Builds the position index of a segment that nobody has read since the start. A start from a checkpoint trusts the segments before it; the first
 * read of such a segment walks over it once, verifies every frame, and notes where they lie. It never changes a byte.
 *
 * Damage does not end the walk: it goes on at the next whole frame behind, so that what is around the damage stays readable (I-10). The read itself
 * then meets the damage, if it needs those bytes, and names it. A segment whose end is not what the next one's header says is refused as a whole: then
 * nobody knows which of the two is of this log.
 */
import type { Position } from '@allsource/shared/model';
import { FrameWalk } from './frame-walk.ts';
import { segmentProblem } from './log-damage.ts';
import { type Mark, PositionIndex } from './position-index.ts';
import type { SegmentFiles, SegmentLease } from './segment-files.ts';
import type { Segment, SegmentList } from './segment-list.ts';
import { surveyTail } from './tail-survey.ts';

const WINDOW_BYTES = 1024 * 1024;

export interface SegmentIndexingParts {
  readonly logId: Buffer;
  readonly segments: SegmentList;
  readonly files: SegmentFiles;
}

export class SegmentIndexing {
  readonly #parts: SegmentIndexingParts;
  readonly #running = new Map<Segment, Promise<void>>();

  constructor(parts: SegmentIndexingParts) {
    this.#parts = parts;
  }

  /** Sees to it that the segment at `ordinal` is indexed. Throws `log_damaged` when it does not lead to the next one. */
  async ensure(ordinal: number): Promise<void> {
    const segment = this.#parts.segments.at(ordinal);
    if (segment.isIndexed) return;
    const running = this.#running.get(segment) ?? this.#index(ordinal, segment);
    this.#running.set(segment, running);
    try {
      await running;
    } finally {
      this.#running.delete(segment);
    }
  }

  async #index(ordinal: number, segment: Segment): Promise<void> {
    const next = this.#parts.segments.at(ordinal + 1);
    const lease = await this.#parts.files.lease(segment.name);
    try {
      const index = new PositionIndex(segment.firstPosition);
      const end = await this.#walk(index, { segment, next, lease });
      Object.assign(segment, { index, end, isIndexed: true });
    } finally {
      await lease.release();
    }
  }

  /** Notes all frames; returns where they end. */
  async #walk(
    index: PositionIndex,
    { segment, next, lease }: { segment: Segment; next: Segment; lease: SegmentLease },
  ): Promise<number> {
    const { logId } = this.#parts;
    const { capacity: end } = segment;
    let start: Mark | null = segment.start;
    while (start !== null) {
      index.mark(start);
      const walk: FrameWalk = new FrameWalk({ source: lease, logId, start, end });
      if (await walkUpTo(next.firstPosition, walk, index)) {
        requireLink(segment, next, walk);
        return walk.offset;
      }
      const place = { source: lease, logId, offset: walk.offset, end, position: walk.position };
      start = (await surveyTail(place)).nextFrame;
    }
    return end;
  }
}

/** Returns false when it meets anything but frames before the position. */
async function walkUpTo(stop: Position, walk: FrameWalk, index: PositionIndex): Promise<boolean> {
  while (walk.position < stop) {
    const step = walk.step();
    if (step.kind === 'frame') {
      const { position, previousChecksum } = step.frame;
      index.note({ position, offset: step.offset, previousChecksum });
    } else if (step.kind === 'more') await walk.fill(Math.max(WINDOW_BYTES, step.bytesNeeded));
    else return false;
  }
  return true;
}

function requireLink(segment: Segment, next: Segment, walk: FrameWalk): void {
  if (walk.position === next.firstPosition && walk.checksum === next.previousChecksum) return;
  throw segmentProblem(next.name, `it does not follow the last frame of ${segment.name}`);
}
