/**
 * Where the frames of one segment lie: a mark about every 16 KiB of frames, so that a read from any position costs one small read and a short
 * walk. A mark holds the checksum of the frame before it too, so the walk verifies the chain from its first frame on. Twelve bytes
 * a mark in one typed array: a full segment of 64 MiB needs 4,096 marks, 48 KiB.
 */
import { assert } from '@allsource/shared/lang';
import { type Position, position } from '@allsource/shared/model';

/** Bytes of frames between two marks: the half of it that a read walks over on average costs less than the read itself. */
const MARK_EVERY_BYTES = 16 * 1024;
const FIELDS = 3; // position relative to the first mark, offset, checksum before
const MARKS_AT_FIRST = 8;

/** Where a walk starts. */
export interface Mark {
  readonly position: Position;
  readonly offset: number;
  readonly previousChecksum: number;
}

/** A mark and the next one, before which the wanted position must lie; null behind the last mark. */
export interface MarkSpan {
  readonly start: Mark;
  readonly next: Mark | null;
}

export class PositionIndex {
  readonly #firstPosition: Position;
  #fields = new Uint32Array(MARKS_AT_FIRST * FIELDS);
  #count = 0;
  #lastOffset = Number.NEGATIVE_INFINITY;

  /** An index of a segment whose first event has this position. */
  constructor(firstPosition: Position) {
    this.#firstPosition = firstPosition;
  }

  /** Takes note of a frame. Called for every frame of the segment, in order. */
  note(frame: Mark): void {
    if (frame.offset - this.#lastOffset >= MARK_EVERY_BYTES) this.mark(frame);
  }

  /** Makes a mark whatever the distance from the one before: for the beginning of a segment and the place behind damage. */
  mark(frame: Mark): void {
    const at = this.#count * FIELDS;
    if (at === this.#fields.length) this.#grow();
    this.#fields[at] = frame.position - this.#firstPosition;
    this.#fields[at + 1] = frame.offset;
    this.#fields[at + 2] = frame.previousChecksum;
    this.#count += 1;
    this.#lastOffset = frame.offset;
  }

  #grow(): void {
    const wider = new Uint32Array(this.#fields.length * 2);
    wider.set(this.#fields);
    this.#fields = wider;
  }

  /** The last mark at or before a position that lies in the segment. */
  find(wanted: Position): MarkSpan {
    assert(this.#count > 0 && wanted >= this.#firstPosition, 'a position inside the segment');
    const relative = wanted - this.#firstPosition;
    let low = 0;
    let high = this.#count - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#fields[middle * FIELDS] as number) <= relative) low = middle;
      else high = middle - 1;
    }
    return { start: this.#mark(low), next: low + 1 < this.#count ? this.#mark(low + 1) : null };
  }

  #mark(ordinal: number): Mark {
    const at = ordinal * FIELDS;
    return {
      position: position(this.#firstPosition + (this.#fields[at] as number)),
      offset: this.#fields[at + 1] as number,
      previousChecksum: this.#fields[at + 2] as number,
    };
  }
}
