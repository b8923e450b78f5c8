/** The index of a sealed segment in memory: where each block lies in the file, and where frames lie in the raw segment. */
import { type Position, position } from '@allsource/shared/model';
import type { Mark, MarkSpan } from './position-index.ts';
import {
  BLOCK_BYTES,
  BLOCK_ENTRY_BYTES,
  MARK_BYTES,
  SEALED_HEADER_BYTES,
  type SealedHeader,
} from './sealed-format.ts';
import { SEGMENT_HEADER_BYTES } from './segment.ts';

const MARK_FIELDS = MARK_BYTES / 4; // position relative to the segment's first, raw offset, checksum before

/** Where a block lies in the file. */
export interface BlockPlace {
  readonly offset: number;
  readonly bytes: number;
  readonly checksum: number;
  /** Bytes of the raw segment that it holds. */
  readonly rawBytes: number;
}

export class SealedIndex {
  readonly #header: SealedHeader;
  readonly #offsets: Float64Array;
  readonly #checksums: Uint32Array;
  readonly #marks: Uint32Array;
  #largestBlock = 0;

  /** Reads an index whose checksum has been verified. */
  constructor(header: SealedHeader, bytes: Buffer) {
    const { blockCount, markCount } = header;
    this.#header = header;
    this.#offsets = new Float64Array(blockCount + 1);
    this.#checksums = new Uint32Array(blockCount);
    this.#marks = new Uint32Array(markCount * MARK_FIELDS);
    this.#offsets[0] = SEALED_HEADER_BYTES;
    for (let block = 0, at = 0; block < blockCount; block++, at += BLOCK_ENTRY_BYTES) {
      const blockBytes = bytes.readUInt32LE(at);
      this.#largestBlock = Math.max(this.#largestBlock, blockBytes);
      this.#offsets[block + 1] = (this.#offsets[block] as number) + blockBytes;
      this.#checksums[block] = bytes.readUInt32LE(at + 4);
    }
    const marksAt = blockCount * BLOCK_ENTRY_BYTES;
    for (let i = 0; i < this.#marks.length; i++)
      this.#marks[i] = bytes.readUInt32LE(marksAt + i * 4);
  }

  /** False when the blocks do not end where the index begins, or are larger than raw, or the first mark is not the first frame. */
  get isWhole(): boolean {
    const { blockCount, indexOffset } = this.#header;
    return (
      this.#offsets[blockCount] === indexOffset &&
      this.#largestBlock <= BLOCK_BYTES &&
      this.#marks[0] === 0 &&
      this.#marks[1] === SEGMENT_HEADER_BYTES
    );
  }

  place(block: number): BlockPlace {
    const offset = this.#offsets[block] as number;
    const rawOffset = SEGMENT_HEADER_BYTES + block * BLOCK_BYTES;
    return {
      offset,
      bytes: (this.#offsets[block + 1] as number) - offset,
      checksum: this.#checksums[block] as number,
      rawBytes: Math.min(BLOCK_BYTES, this.#header.framesEnd - rawOffset),
    };
  }

  /** The last mark at or before a position of the segment. */
  find(wanted: Position): MarkSpan {
    const ordinal = this.#lastWhere(0, wanted - this.#header.segment.firstPosition);
    return { start: this.#mark(ordinal), next: this.#markOrNull(ordinal + 1) };
  }

  /** The positions of the frames that may have a byte in a range of the raw segment, as far as the marks tell. */
  positionsBetween(rawFrom: number, rawTo: number): { first: Position; last: Position } {
    const first = this.#mark(this.#lastWhere(1, rawFrom)).position;
    const next = this.#markOrNull(this.#lastWhere(1, rawTo - 1) + 1);
    return { first, last: next === null ? this.#header.lastPosition : position(next.position - 1) };
  }

  /** The last mark whose field is at most `limit`; the first mark's fields are the smallest. */
  #lastWhere(field: 0 | 1, limit: number): number {
    let low = 0;
    let high = this.#header.markCount - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if ((this.#marks[middle * MARK_FIELDS + field] as number) <= limit) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #markOrNull(ordinal: number): Mark | null {
    return ordinal < this.#header.markCount ? this.#mark(ordinal) : null;
  }

  #mark(ordinal: number): Mark {
    const at = ordinal * MARK_FIELDS;
    return {
      position: position(this.#header.segment.firstPosition + (this.#marks[at] as number)),
      offset: this.#marks[at + 1] as number,
      previousChecksum: this.#marks[at + 2] as number,
    };
  }
}
