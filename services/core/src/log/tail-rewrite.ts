/**
 * Makes what recovery has read durable before anybody is shown it. To sync is not enough: after a failed fdatasync a kernel may hold pages
 * that it reports as clean although they never reached the disk, and a sync of those returns at once. So the bytes that no later frame says to be
 * durable are written again, as they are, and then synced. Where the disk has them already, the same bytes over the same bytes
 * cannot be torn.
 */
import { type Position, position } from '@allsource/shared/model';
import type { DiskFile } from '../storage/disk.ts';
import { SEGMENT_HEADER_BYTES } from './segment.ts';
import type { Segment } from './segment-list.ts';

const WINDOW_BYTES = 1024 * 1024;

/** Rewrites and syncs the end of the active segment. `durablePosition` is the watermark that its newest frame tells of. */
export async function rewriteTail(
  file: DiskFile,
  segment: Segment,
  durablePosition: Position,
): Promise<void> {
  for (let at = rewriteFrom(segment, durablePosition); at < segment.end; ) {
    const window = Buffer.allocUnsafe(Math.min(WINDOW_BYTES, segment.end - at));
    const bytes = window.subarray(0, await file.read(window, at));
    if (bytes.length === 0) break;
    file.writeNow([bytes], at);
    at += bytes.length;
  }
  await file.datasync();
}

// A segment is made when everything before it is durable, so nothing before the active one is in doubt.
function rewriteFrom(segment: Segment, durablePosition: Position): number {
  if (segment.isEmpty || durablePosition < segment.firstPosition) return SEGMENT_HEADER_BYTES;
  return segment.index.find(position(durablePosition + 1)).start.offset;
}
