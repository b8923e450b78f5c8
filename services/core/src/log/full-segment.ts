/**
 * The walk over a segment that is full: every frame, each with its place in the chain, up to where the segment behind says that it begins. It only reads.
 *
 * Promise: when it resolves, every frame of the segment was handed on, and the last one is the one that the next segment's header names. Otherwise `log_damaged` names
 * the bytes from the first bad one to the next whole frame, and the positions that they held, as an inspection does (`verify/segment-walk.ts`).
 */
import { type Position, position } from '@allsource/shared/model';
import { FRAME_ALIGNMENT, type Frame } from '@allsource/shared/protocol';
import { missingPositionsProblem } from '../storage/missing-positions.ts';
import { type ByteSource, FrameWalk, type WalkStep } from './frame-walk.ts';
import { damageProblem, segmentProblem } from './log-damage.ts';
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment.ts';
import { surveyTail } from './tail-survey.ts';

const WINDOW_BYTES = 1024 * 1024;

/** What the header of the segment behind says: where this one ends. */
export interface SegmentEnd {
  readonly firstPosition: number;
  readonly previousChecksum: number;
}

export interface FullSegment {
  readonly name: string;
  readonly header: SegmentHeader;
  /** The bytes at the offsets of the raw segment. */
  readonly source: ByteSource;
  /** The offset behind which no frame lies. */
  readonly end: number;
  readonly next: SegmentEnd;
}

export interface FullSegmentWalk {
  readonly onFrame: (frame: Frame, offset: number) => void;
  /** Waited for before every piece of work with the bytes it is about; rejects to give up. */
  readonly pace: (bytes: number) => Promise<void>;
}

/** Walks over a full segment. Throws `log_damaged`, and what the source throws. */
export async function walkFullSegment(
  segment: FullSegment,
  { onFrame, pace }: FullSegmentWalk,
): Promise<void> {
  const { name, header, source, end, next } = segment;
  const { firstPosition, previousChecksum, logId } = header;
  const start = { position: firstPosition, offset: SEGMENT_HEADER_BYTES, previousChecksum };
  const walk = new FrameWalk({ source, logId, start, end });
  while (walk.position < next.firstPosition) {
    const step = walk.step();
    if (step.kind === 'frame') onFrame(step.frame, step.offset);
    else if (step.kind === 'more') {
      await pace(WINDOW_BYTES);
      await walk.fill(Math.max(WINDOW_BYTES, step.bytesNeeded));
    } else throw await stopProblem(segment, walk, step);
  }
  if (walk.position !== next.firstPosition || walk.checksum !== next.previousChecksum)
    throw segmentProblem(name, 'its last frame is not the one that the next segment names');
}

async function stopProblem(
  { name, header, source, end, next }: FullSegment,
  walk: FrameWalk,
  step: WalkStep,
): Promise<Error> {
  const { offset, position: firstPosition } = walk;
  const tail = { source, logId: header.logId, end, position: firstPosition };
  let survey = await surveyTail({ ...tail, offset });
  // A whole frame that does not follow the one before it is itself what is wrong.
  if (survey.nextFrame?.offset === offset && survey.nextFrame.position === firstPosition)
    survey = await surveyTail({ ...tail, offset: offset + FRAME_ALIGNMENT });
  const lastOfSegment = position(next.firstPosition - 1);
  if (survey.endOffset === null)
    return missingPositionsProblem({
      before: name,
      after: null,
      firstPosition,
      lastPosition: lastOfSegment,
    });
  const { nextFrame } = survey;
  return damageProblem({
    segment: name,
    offset,
    endOffset: nextFrame?.offset ?? survey.endOffset,
    firstPosition,
    lastPosition: lastBefore(nextFrame?.position ?? null, lastOfSegment),
    reason: step.kind === 'damaged' ? step.reason : 'zeros where a frame belongs',
  });
}

// A frame of a later segment that lies here tells of no position of this one.
function lastBefore(nextFrame: Position | null, lastOfSegment: Position): Position {
  return nextFrame === null || nextFrame > lastOfSegment ? lastOfSegment : position(nextFrame - 1);
}
