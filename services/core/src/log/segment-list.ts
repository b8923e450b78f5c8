import { assert, must } from '@allsource/shared/lang';
import type { Position } from '@allsource/shared/model';
import { type Mark, PositionIndex } from './position-index.ts';
import { SEGMENT_HEADER_BYTES, segmentName } from './segment.ts';

/** A segment file as the running store knows it. */
export class Segment {
  readonly name: string;
  readonly firstPosition: Position;
  readonly previousChecksum: number;
  /** Bytes of the file, header included. */
  readonly capacity: number;
  /** Where its frames lie, and the offset behind the last durable one; worth nothing until the segment `isIndexed`. */
  index: PositionIndex;
  end = SEGMENT_HEADER_BYTES;
  /** False for a sealed segment that was trusted at the start and not read since (`segment-indexing.ts`). */
  isIndexed: boolean;

  constructor(segment: {
    readonly firstPosition: Position;
    readonly previousChecksum: number;
    readonly capacity: number;
    readonly isIndexed?: boolean;
  }) {
    this.name = segmentName(segment.firstPosition);
    this.firstPosition = segment.firstPosition;
    this.previousChecksum = segment.previousChecksum;
    this.capacity = segment.capacity;
    this.index = new PositionIndex(segment.firstPosition);
    this.isIndexed = segment.isIndexed ?? true;
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

/** The segments of a log in order; the last one is active, the others are sealed. */
export class SegmentList {
  readonly #segments: Segment[] = [];

  get count(): number {
    return this.#segments.length;
  }

  /** Bytes of all files. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.capacity, 0);
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
