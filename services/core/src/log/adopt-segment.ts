import type { Disk } from '../storage/disk.ts';
import { encodeSegmentHeader, type SegmentHeader, segmentName } from './segment.ts';
import { Segment } from './segment-list.ts';
import type { PreparedSegment } from './segment-preparer.ts';
import { synced } from './write-faults.ts';

/**
 * Makes a prepared file a segment of the log: header, sync, name, sync. Until the rename a crash leaves a prepared file; after it, an
 * empty segment with a good header. An empty segment of the same first position is replaced.
 */
export async function adoptSegment(
  disk: Disk,
  prepared: PreparedSegment,
  adoption: {
    readonly header: SegmentHeader;
    /** Called right before the rename; throws when the writer may not go on. */
    readonly requireOwnership: () => void;
  },
): Promise<Segment> {
  const { firstPosition, previousChecksum } = adoption.header;
  prepared.file.writeNow([encodeSegmentHeader(adoption.header)], 0);
  await synced(prepared.file.datasync());
  adoption.requireOwnership();
  await disk.rename(prepared.name, segmentName(firstPosition));
  await synced(disk.syncFolder(''));
  return new Segment({ firstPosition, previousChecksum, capacity: prepared.capacity });
}
