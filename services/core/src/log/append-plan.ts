import { must } from '@allsource/shared/lang';
import type { Frame } from '@allsource/shared/protocol';
import { SEGMENT_HEADER_BYTES } from './segment.ts';

/** Frames of one append that go into one segment, end to end. */
export interface Run {
  readonly frames: Frame[];
  bytes: number;
  /** The size of the segment to be made for them; null for the active one. */
  readonly newSegmentBytes: number | null;
}

/**
 * Cuts an append into runs. A frame larger than the room left goes to the next segment, and one larger than a segment gets a segment of its
 * own size. Knowing all runs first, the writer finds room for all of them before it writes a byte.
 */
export function planRuns(
  frames: readonly Frame[],
  place: { readonly roomBytes: number; readonly segmentBytes: number },
): Run[] {
  const runs: Run[] = [{ frames: [], bytes: 0, newSegmentBytes: null }];
  let room = place.roomBytes;
  for (const frame of frames) {
    if (frame.bytes.length > room) {
      const bytes = Math.max(place.segmentBytes, segmentBytesFor(frame));
      runs.push({ frames: [], bytes: 0, newSegmentBytes: bytes });
      room = bytes - SEGMENT_HEADER_BYTES;
    }
    const run = must(runs.at(-1), 'there is a run');
    run.frames.push(frame);
    run.bytes += frame.bytes.length;
    room -= frame.bytes.length;
  }
  return runs.filter((run) => run.frames.length > 0);
}

// Whole pages, as all segments have.
function segmentBytesFor(frame: Frame): number {
  const pages = Math.ceil(frame.bytes.length / SEGMENT_HEADER_BYTES);
  return (1 + pages) * SEGMENT_HEADER_BYTES;
}
