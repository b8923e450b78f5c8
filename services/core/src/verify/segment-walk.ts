/**
 * Holds the pieces of one segment against the place where they lie: each frame must be of this log, start at the position that comes next and name
 * the frame before it. Where bytes are damaged the walk takes up the log again at the next whole frame, and the positions between are
 * what the damage cost. At the end of the last segment, where nothing says that what comes next had been durable, the first piece that does not follow is where
 * the log ends, as for a start: whole frames that lie behind are no more part of it than torn ones.
 */
import type { Position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { HeadMarker } from '../log/head-marker.ts';
import type { Findings } from './findings.ts';
import type { BadBytes } from './segment-bytes.ts';
import type { SegmentPiece } from './segment-pieces.ts';

/** Where the log stands between two frames. */
export interface LogPlace {
  /** The position that comes next. */
  position: number;
  /** The checksum that the next frame must name; null where nothing tells. */
  checksum: number | null;
}

export interface SegmentRules {
  readonly name: string;
  readonly logId: Buffer | null;
  readonly marker: HeadMarker | null;
  /** A sealed segment ends before this position, the first of the next one; null for the last segment. */
  readonly nextPosition: Position | null;
  /** In the last segment, bad bytes at or before this position are damage, and behind it what an append under way or cut short has left. */
  readonly durablePosition: number;
  /** Positions after this one are not held to account. */
  readonly upTo: number;
  /** True: whole frames behind `upTo` that follow are verified too, up to what is in the middle of being written. */
  readonly looksOn: boolean;
  readonly findings: Findings;
  /** Where bad bytes lie in the file; see `SegmentBytes`. */
  readonly placeOf: (bad: BadBytes) => BadBytes;
  readonly onFrame: (frame: Frame, offset: number) => void;
}

interface Gap {
  readonly offset: number;
  endOffset: number;
  readonly reason: string;
}

const NO_SUCCESSOR = 'it does not follow the frame before it';

type FramePiece = Extract<SegmentPiece, { kind: 'frame' }>;

export class SegmentWalk {
  readonly #rules: SegmentRules;
  readonly #place: LogPlace;
  /** Bad bytes whose positions are not known before the next good frame. */
  #gap: Gap | null = null;
  /** What an append that was cut short has left, up to the end of the segment. */
  #tail: Gap | null = null;
  #isOver = false;
  #endOffset = 0;

  /** A walk that moves `place` on. */
  constructor(rules: SegmentRules, place: LogPlace) {
    this.#rules = rules;
    this.#place = place;
  }

  /** True when the rest of the segment does not matter: its last position was reached, or what lies behind is not held to account. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The offset behind the last frame of the segment, and behind what is damaged where frames belong. */
  get endOffset(): number {
    return this.#endOffset;
  }

  take(piece: SegmentPiece): void {
    if (this.#isOver) return;
    if (this.#tail !== null) this.#tail.endOffset = endOf(piece);
    else if (piece.kind === 'frame') this.#takeFrame(piece);
    else this.#takeBad(piece);
  }

  /** Says that the segment holds no more pieces. */
  finish(): void {
    if (this.#tail !== null) this.#addTail(this.#tail);
    const gap = this.#gap;
    if (gap === null) return;
    this.#gap = null;
    this.#addGap(gap, this.#lastPosition());
  }

  /** The last position that bad bytes at the end of the segment can have held; null where nothing tells. */
  #lastPosition(): number | null {
    const { nextPosition, durablePosition } = this.#rules;
    if (nextPosition !== null) return nextPosition - 1;
    return durablePosition >= this.#place.position ? durablePosition : null;
  }

  #takeFrame(piece: FramePiece): void {
    const { frame, offset } = piece;
    const isBehind = this.#place.position > this.#rules.upTo;
    if (isBehind && !this.#followsOn(frame)) {
      this.#isOver = true;
      return;
    }
    const misplaced = this.#isTail() ? this.#misplaced(frame) : null;
    if (misplaced !== null) {
      this.#tail = { offset, endOffset: endOf(piece), reason: misplaced };
      return;
    }
    const misfit = this.#misfit(frame);
    if (misfit !== null) {
      this.#widenGap({ offset, endOffset: offset + frame.bytes.length, reason: misfit });
      return;
    }
    if (!isBehind && frame.lastPosition > this.#rules.upTo) {
      this.#isOver = true;
      return;
    }
    this.#closeGap(frame, offset);
    this.#requireChain(piece);
    this.#requireMarked(piece);
    this.#place.position = frame.lastPosition + 1;
    this.#place.checksum = frame.checksum;
    this.#endOffset = offset + frame.bytes.length;
    this.#rules.onFrame(frame, offset);
    const { nextPosition } = this.#rules;
    this.#isOver = nextPosition !== null && this.#place.position >= nextPosition;
  }

  /** Whether a frame behind `upTo` is the one that comes next, and is to be verified. */
  #followsOn(frame: Frame): boolean {
    const { position, checksum } = this.#place;
    const isNext = frame.position === position && frame.previousChecksum === checksum;
    return this.#rules.looksOn && isNext;
  }

  /** True where nothing says that what belongs here had been durable. */
  #isTail(): boolean {
    const { nextPosition, durablePosition } = this.#rules;
    return nextPosition === null && this.#place.position > durablePosition;
  }

  /** Why a whole frame is not the one that comes next; null when it is. */
  #misplaced(frame: Frame): string | null {
    const { position, checksum } = this.#place;
    const misfit = this.#misfit(frame);
    if (misfit !== null) return misfit;
    if (frame.position !== position)
      return `the frame of position ${frame.position} lies where position ${position} belongs`;
    return checksum === null || frame.previousChecksum === checksum ? null : NO_SUCCESSOR;
  }

  /** Why a whole frame cannot be a part of the log at this place; null when it can. */
  #misfit(frame: Frame): string | null {
    const { logId, nextPosition } = this.#rules;
    if (logId !== null && !frame.logId.equals(logId)) return 'the frame belongs to another log';
    if (frame.position < this.#place.position)
      return `the frame of position ${frame.position} lies where position ${this.#place.position} belongs`;
    if (nextPosition !== null && frame.lastPosition >= nextPosition)
      return `the frame of position ${frame.position} belongs into the next segment`;
    return null;
  }

  #takeBad(piece: Extract<SegmentPiece, { kind: 'unreadable' }>): void {
    if (this.#place.position > this.#rules.upTo) this.#isOver = true;
    else if (this.#isTail()) this.#tail = { ...piece };
    else this.#widenGap(piece);
  }

  #addTail({ offset, endOffset, reason }: Gap): void {
    const { name, findings } = this.#rules;
    findings.add({
      kind: 'torn_tail',
      segment: name,
      bytes: { offset, endOffset },
      firstPosition: this.#place.position,
      reason: `a write was cut short here and nobody was told that it had succeeded (${reason})`,
    });
  }

  #widenGap({ offset, endOffset, reason }: Gap): void {
    if (this.#gap === null) this.#gap = { offset, endOffset, reason };
    else this.#gap.endOffset = endOffset;
  }

  #closeGap(frame: Frame, offset: number): void {
    const missingTo = frame.position - 1;
    if (this.#gap !== null) {
      const gap = this.#gap;
      this.#gap = null;
      this.#addGap({ ...gap, endOffset: offset }, missingTo);
    } else if (missingTo >= this.#place.position) {
      this.#addMissing(missingTo, offset);
    }
  }

  #addGap(gap: Gap, lastPosition: number | null): void {
    const { name, findings, placeOf } = this.#rules;
    const { offset, endOffset, reason } = placeOf(gap);
    const firstPosition = this.#place.position;
    const bytes = { offset, endOffset };
    // Bytes between two frames that follow each other held no event.
    const cost =
      lastPosition === null || lastPosition >= firstPosition ? { firstPosition, lastPosition } : {};
    findings.add({ kind: 'damaged_bytes', segment: name, bytes, ...cost, reason });
    this.#endOffset = Math.max(this.#endOffset, gap.endOffset);
    if (lastPosition !== null) this.#place.position = Math.max(firstPosition, lastPosition + 1);
    this.#place.checksum = null;
  }

  #addMissing(lastPosition: number, offset: number): void {
    const { name, findings } = this.#rules;
    findings.add({
      kind: 'missing_positions',
      segment: name,
      bytes: { offset, endOffset: offset },
      firstPosition: this.#place.position,
      lastPosition,
      reason: 'the frames before and behind this place are whole, and those between are not there',
    });
    this.#place.position = lastPosition + 1;
    this.#place.checksum = null;
  }

  #requireChain({ frame, offset }: FramePiece): void {
    const { checksum } = this.#place;
    if (checksum === null || frame.previousChecksum === checksum) return;
    this.#addBroken({ frame, offset }, NO_SUCCESSOR);
  }

  // The marker names the end of one frame. A log that has another frame there is another history of the same log.
  #requireMarked({ frame, offset }: FramePiece): void {
    const { marker } = this.#rules;
    if (marker === null || marker.position < frame.position) return;
    if (marker.position > frame.lastPosition) return;
    if (marker.position === frame.lastPosition && marker.checksum === frame.checksum) return;
    const reason = `the file 'head' says that another frame was durable at position ${marker.position}`;
    this.#addBroken({ frame, offset }, reason);
  }

  #addBroken({ frame, offset }: Pick<FramePiece, 'frame' | 'offset'>, reason: string): void {
    this.#rules.findings.add({
      kind: 'broken_chain',
      segment: this.#rules.name,
      bytes: { offset, endOffset: offset + frame.bytes.length },
      firstPosition: frame.position,
      lastPosition: frame.lastPosition,
      reason,
    });
  }
}

function endOf(piece: SegmentPiece): number {
  return piece.kind === 'frame' ? piece.offset + piece.frame.bytes.length : piece.endOffset;
}
