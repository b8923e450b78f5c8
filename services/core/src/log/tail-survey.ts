/**
 * What lies between a place where no good frame starts and the end of its segment: nothing but zeros (the log ends there), or bytes, among which there may be
 * whole frames of this log. A whole frame behind the place is a witness: its durable position says how far the log was acknowledged when it was made.
 *
 * Frames lie at multiples of 8, so only those places are looked at. Bytes that a client sent cannot pose as a frame: a frame's length and positions
 * hold zero bytes, and JSON text holds none.
 */
import { type Position, POSITION_ZERO } from '@allsource/shared/model';
import { decodeFrame, FRAME_ALIGNMENT, FRAME_MAGIC, type Frame } from '@allsource/shared/protocol';
import type { ByteSource } from './frame-walk.ts';
import type { Mark } from './position-index.ts';

const WINDOW_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(WINDOW_BYTES);
const MAGIC = Buffer.alloc(4);
MAGIC.writeUInt32LE(FRAME_MAGIC);

export interface Tail {
  readonly source: ByteSource;
  readonly logId: Buffer;
  /** The place where no good frame starts, a multiple of 8. */
  readonly offset: number;
  /** The end of the segment. */
  readonly end: number;
  /** The position that belongs at the place; frames of earlier positions are no witnesses. */
  readonly position: Position;
}

export interface TailSurvey {
  /** The offset behind the last byte that is not zero; null when there is none. */
  readonly endOffset: number | null;
  /** The first whole frame behind the place. */
  readonly nextFrame: Mark | null;
  /** The highest durable position that a frame behind the place tells of. */
  readonly durablePosition: Position;
}

/** Surveys a tail in one pass. */
export async function surveyTail(tail: Tail): Promise<TailSurvey> {
  let survey: TailSurvey = { endOffset: null, nextFrame: null, durablePosition: POSITION_ZERO };
  let resumeAt = tail.offset;
  for (let offset = tail.offset; offset < tail.end; offset += WINDOW_BYTES) {
    const window = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, tail.end - offset));
    const bytes = window.subarray(0, await tail.source.read(window, offset));
    const nonZeroBytes = lengthWithoutZeros(bytes);
    if (nonZeroBytes === 0) continue;
    survey = { ...survey, endOffset: offset + nonZeroBytes };
    for (const at of magicPlaces(bytes)) {
      if (offset + at < resumeAt) continue;
      const frame = await wholeFrameAt(tail, offset + at);
      if (frame === null) continue;
      resumeAt = offset + at + frame.bytes.length;
      survey = withWitness(survey, { offset: offset + at, frame });
    }
  }
  return survey;
}

/** The length of the bytes up to the last one that is not zero. */
function lengthWithoutZeros(bytes: Buffer): number {
  if (bytes.equals(ZEROS.subarray(0, bytes.length))) return 0;
  let length = bytes.length;
  while (bytes[length - 1] === 0) length -= 1;
  return length;
}

function* magicPlaces(bytes: Buffer): Generator<number> {
  for (let at = bytes.indexOf(MAGIC); at !== -1; at = bytes.indexOf(MAGIC, at + 1))
    if (at % FRAME_ALIGNMENT === 0) yield at;
}

async function wholeFrameAt(tail: Tail, offset: number): Promise<Frame | null> {
  let bytesNeeded = FRAME_ALIGNMENT;
  // The first look learns the length, the second has the frame.
  while (offset + bytesNeeded <= tail.end) {
    const bytes = Buffer.allocUnsafe(bytesNeeded);
    const decoded = decodeFrame(bytes.subarray(0, await tail.source.read(bytes, offset)));
    if (decoded.kind === 'incomplete' && decoded.bytesNeeded > bytesNeeded) {
      bytesNeeded = decoded.bytesNeeded;
      continue;
    }
    if (decoded.kind !== 'frame') return null;
    const isWitness = decoded.frame.logId.equals(tail.logId);
    return isWitness && decoded.frame.position >= tail.position ? decoded.frame : null;
  }
  return null;
}

function withWitness(
  survey: TailSurvey,
  found: { readonly offset: number; readonly frame: Frame },
): TailSurvey {
  const { offset, frame } = found;
  const isFirst = survey.nextFrame === null;
  return {
    ...survey,
    nextFrame: isFirst
      ? { offset, position: frame.position, previousChecksum: frame.previousChecksum }
      : survey.nextFrame,
    durablePosition:
      frame.durablePosition > survey.durablePosition
        ? frame.durablePosition
        : survey.durablePosition,
  };
}
