import { assert } from '@allsource/shared/lang';
import type { RowText } from '../row-text.ts';

const SEGMENT_BYTES = 1024 * 1024;

/** A stretch of the text of all rows. */
export interface TextSegment {
  /** Where its first byte lies in the text of all rows. */
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** Memory that takes text until it is full. Nothing in it is moved or changed. */
interface GrowingSegment extends TextSegment {
  readonly bytes: Buffer;
  used: number;
}

/** The text of a tail: that of its frames as it lies in them, end to end, one copy a frame. Its places count on over segments; a frame lies in one. */
export class TailText {
  readonly #segments: GrowingSegment[] = [];

  get #length(): number {
    const last = this.#segments.at(-1);
    return last === undefined ? 0 : last.start + last.used;
  }

  /** Adds the text of a frame. Returns where it begins. */
  append(source: Uint8Array): number {
    const start = this.#length;
    let segment = this.#segments.at(-1);
    if (segment === undefined || segment.used + source.length > segment.bytes.length) {
      const bytes = Buffer.allocUnsafeSlow(Math.max(SEGMENT_BYTES, source.length));
      segment = { bytes, start, used: 0 };
      this.#segments.push(segment);
    }
    segment.bytes.set(source, segment.used);
    segment.used += source.length;
    return start;
  }

  /** Says where the text of a row that begins at `start` lies. */
  place(start: number, text: RowText): void {
    const segment = segmentAt(this.#segments, start);
    text.bytes = segment.bytes;
    text.start = start - segment.start;
  }

  /** All text. */
  segments(): TextSegment[] {
    return this.#segments.map(({ start, bytes, used }) => ({
      start,
      bytes: bytes.subarray(0, used),
    }));
  }
}

/** The segment that a place lies in. */
export function segmentAt<T extends TextSegment>(segments: readonly T[], place: number): T {
  let low = 0;
  let high = segments.length;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((segments[middle] as T).start <= place) low = middle;
    else high = middle;
  }
  const segment = segments[low];
  assert(segment !== undefined, 'where there are rows there is text');
  return segment;
}
