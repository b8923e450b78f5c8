import { assert, must } from '@allsource/shared/lang';
import type { Frame } from '@allsource/shared/protocol';
import type { LogHead } from './log-store.ts';

/**
 * True when the frames of an append follow the head: the first starts at the next position and names the head's checksum. False
 * means that another writer moved the head. That the frames belong to this log and follow each other is the caller's own
 * doing, so a break there is an assertion failure.
 */
export function isNextAfter(head: LogHead, frames: readonly Frame[]): boolean {
  const first = must(frames[0], 'an append has at least one frame');
  let before: Frame | null = null;
  for (const frame of frames) {
    assert(frame.logId.equals(head.logId), 'a frame of this log');
    if (before !== null) {
      assert(frame.position === before.lastPosition + 1, 'frames of one append leave no gap');
      assert(frame.previousChecksum === before.checksum, 'frames of one append chain on');
    }
    before = frame;
  }
  return first.position === head.position + 1 && first.previousChecksum === head.checksum;
}

/** The head after the frames were appended. */
export function headAfter(head: LogHead, frames: readonly Frame[]): LogHead {
  const last = must(frames.at(-1), 'an append has at least one frame');
  return { ...head, position: last.lastPosition, checksum: last.checksum };
}
