import { assert, must } from '@allsource/shared/lang';
import type { Position } from '@allsource/shared/model';
import { type Mark, PositionIndex } from './position-index.ts';
import { type SealedHeader, sealedName } from './sealed-format.ts';
import { SEGMENT_HEADER_BYTES, segmentName } from './segment.ts';

/** A segment file as the running store knows it. Offsets are those of the raw segment, whatever the form of the file. */
export class Segment {
  #name: string;
  #fileBytes: number;
  #digest: Buffer | null = null;
  readonly firstPosition: Position;
  readonly previousChecksum: number;
  /** Bytes of the raw file, header included. */
  readonly capacity: number;
  /** Where the frames of a raw segment lie, and the offset behind the last durable one; worth nothing until the segment `isIndexed`. */
  index: PositionIndex;
  end = SEGMENT_HEADER_BYTES;
  /** False for a raw segment that was trusted at the start and not read since (`segment-indexing.ts`). */
  isIndexed: boolean;

  constructor(segment: {
    readonly firstPosition: Position;
    readonly previousChecksum: number;
    readonly capacity: number;
    readonly isIndexed?: boolean;
  }) {
    this.#name = segmentName(segment.firstPosition);
    this.firstPosition = segment.firstPosition;
    this.previousChecksum = segment.previousChecksum;
    this.capacity = segment.capacity;
    this.#fileBytes = segment.capacity;
    this.index = new PositionIndex(segment.firstPosition);
    this.isIndexed = segment.isIndexed ?? true;
  }

  /** The name of the file. */
  get name(): string {
    return this.#name;
  }

  /** Bytes of the file. */
  get fileBytes(): number {
    return this.#fileBytes;
  }

  get isSealed(): boolean {
    return this.#digest !== null;
  }

  /** The digest of a sealed segment; null of a raw one. */
  get digest(): Buffer | null {
    return this.#digest;
  }

  /** Takes note that the sealed file has taken the raw one's place. It has an index of its own, so the one in memory goes. */
  becomeSealed(header: SealedHeader): void {
    this.#name = sealedName(this.firstPosition);
    this.#fileBytes = header.fileBytes;
    this.#digest = header.digest;
    this.end = header.framesEnd;
    this.isIndexed = true;
    this.index = new PositionIndex(this.firstPosition);
  }

  get isEmpty(): boolean {
    return this.isIndexed && this.end === SEGMENT_HEADER_BYTES;
  }

  /** Where the first frame lies. */
  get start(): Mark {
    return {
      position: this.firstPosition,
      offset: SEGMENT_HEADER_BYTES,
      previousChecksum: this.previousChecksum,
    };
  }
}

/** The segments of a log in order; the last one is active. Sealed ones come first. */
export class SegmentList {
  readonly #segments: Segment[] = [];
  #sealedCount = 0;

  get count(): number {
    return this.#segments.length;
  }

  /** The number of sealed segments, which is the ordinal of the first raw one. */
  get sealedCount(): number {
    return this.#sealedCount;
  }

  /** Takes note that the first raw segment has become a sealed one. */
  noteSealed(): void {
    assert(this.at(this.#sealedCount).isSealed, 'the first raw segment has been sealed');
    this.#sealedCount += 1;
  }

  /** Bytes of all files. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.fileBytes, 0);
  }

  get active(): Segment {
    return must(this.#segments.at(-1), 'a log has a segment');
  }

  at(ordinal: number): Segment {
    return must(this.#segments[ordinal], 'a segment of the list');
  }

  push(segment: Segment): void {
    const last = this.#segments.at(-1);
    assert(
      last === undefined || last.firstPosition < segment.firstPosition,
      'segments are in the order of their positions',
    );
    this.#segments.push(segment);
    if (segment.isSealed) this.noteSealed();
  }

  /** Takes the last segment off the list. */
  pop(): Segment {
    return must(this.#segments.pop(), 'a log has a segment');
  }

  /** The ordinal of the last segment that starts at or before the position. */
  ordinalHolding(position: Position): number {
    let low = 0;
    let high = this.#segments.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.at(middle).firstPosition <= position) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
