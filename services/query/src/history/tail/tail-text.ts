import { assert } from '@allsource/shared/lang';
import type { RowText } from '../row-text.ts';

/** One event's text costs the decompression of one chunk; larger chunks compress better. */
const CHUNK_BYTES = 192 * 1024;
const SEGMENT_BYTES = 1024 * 1024;

/** A stretch of text that is compressed by itself: the text of whole rows. */
export interface TextChunk {
  readonly firstRow: number;
  readonly text: Buffer;
}

/** Memory that takes text until it is full. Nothing in it is moved or changed. */
interface Segment {
  readonly bytes: Buffer;
  /** Where its first byte lies in the text of all rows. */
  readonly start: number;
  used: number;
}

/**
 * The text of a tail: that of its frames as it lies in them, end to end, one copy a frame. It has a place in the text of the block to be,
 * which counts on over segments, and notes where it will be cut into chunks: at rows, so that no row's text lies in two.
 */
export class TailText {
  readonly #segments: Segment[] = [];
  readonly #chunkRows: number[] = [];
  readonly #chunkStarts: number[] = [];

  get length(): number {
    const last = this.#segments.at(-1);
    return last === undefined ? 0 : last.start + last.used;
  }

  /** Adds the text of a frame. Returns where it begins. */
  append(source: Uint8Array): number {
    const { length } = this;
    let segment = this.#segments.at(-1);
    if (segment === undefined || segment.used + source.length > segment.bytes.length) {
      const bytes = Buffer.allocUnsafeSlow(Math.max(SEGMENT_BYTES, source.length));
      segment = { bytes, start: length, used: 0 };
      this.#segments.push(segment);
      this.#isSegmentNew = true;
    }
    segment.bytes.set(source, segment.used);
    segment.used += source.length;
    return length;
  }

  #isSegmentNew = false;

  /** Says that a row's text begins at `start`; rows come in order. */
  beginRow(row: number, start: number): void {
    const last = this.#chunkStarts.at(-1);
    if (last !== undefined && start - last < CHUNK_BYTES && !this.#isSegmentNew) return;
    this.#isSegmentNew = false;
    this.#chunkRows.push(row);
    this.#chunkStarts.push(start);
  }

  /** Says where the text of a row that begins at `start` lies. */
  place(start: number, text: RowText): void {
    const segment = this.#segmentAt(start);
    text.bytes = segment.bytes;
    text.start = start - segment.start;
  }

  #slice(start: number, end: number): Buffer {
    const segment = this.#segmentAt(start);
    return segment.bytes.subarray(start - segment.start, end - segment.start);
  }

  /** All text, cut into chunks. */
  *chunks(): Generator<TextChunk> {
    for (const [i, firstRow] of this.#chunkRows.entries()) {
      const start = this.#chunkStarts[i] as number;
      const end = this.#chunkStarts[i + 1] ?? this.length;
      yield { firstRow, text: this.#slice(start, end) };
    }
  }

  /** For each chunk the text up to where it begins. */
  get chunkStarts(): readonly number[] {
    return this.#chunkStarts;
  }

  #segmentAt(offset: number): Segment {
    let low = 0;
    let high = this.#segments.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#segments[middle] as Segment).start <= offset) low = middle;
      else high = middle;
    }
    const segment = this.#segments[low];
    assert(segment !== undefined, 'a tail with rows has text');
    return segment;
  }
}
