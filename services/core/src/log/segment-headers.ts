import { positionAfter } from '@allsource/shared/model';
import type { Disk, DiskFile } from '../storage/disk.ts';
import { missingPositionsProblem, segmentProblem } from './log-damage.ts';
import {
  decodeSegmentHeader,
  parseSegmentName,
  SEGMENT_HEADER_BYTES,
  SEGMENT_SUFFIX,
  type SegmentHeader,
} from './segment.ts';

/** A segment file with a good header. */
export interface SegmentFile {
  readonly name: string;
  readonly header: SegmentHeader;
  readonly fileBytes: number;
}

/**
 * The segment files of a folder in order, with their names and headers checked against each other. Whether the frames fill the
 * positions between them is for the walk to see. Throws `log_damaged` for a file that does not fit.
 */
export async function readSegmentHeaders(disk: Disk): Promise<SegmentFile[]> {
  const names = (await disk.list('')).filter((name) => name.endsWith(SEGMENT_SUFFIX)).sort();
  const files: SegmentFile[] = [];
  for (const name of names) {
    const file = await readSegmentFile(disk, name);
    const fault = faultAfter(files[0], file);
    if (fault !== null) throw segmentProblem(name, fault);
    files.push(file);
  }
  const first = files[0];
  if (first !== undefined && first.header.firstPosition !== 1) {
    throw missingPositionsProblem({
      before: null,
      after: first.name,
      firstPosition: positionAfter(first.header.firstPosition, 1 - first.header.firstPosition),
      lastPosition: positionAfter(first.header.firstPosition, -1),
    });
  }
  return files;
}

async function readSegmentFile(disk: Disk, name: string): Promise<SegmentFile> {
  const firstPosition = parseSegmentName(name);
  if (firstPosition === null) throw segmentProblem(name, 'its name is not a position in 20 digits');
  const file = await disk.open(name, 'read');
  try {
    const decoded = decodeSegmentHeader(await firstBytes(file));
    if (decoded.kind === 'damaged')
      throw segmentProblem(name, `its header is damaged, ${decoded.reason}`);
    const { header } = decoded;
    if (header.firstPosition !== firstPosition)
      throw segmentProblem(
        name,
        `its header says that it begins at position ${header.firstPosition}`,
      );
    return { name, header, fileBytes: await file.size() };
  } finally {
    await file.close();
  }
}

async function firstBytes(file: DiskFile): Promise<Buffer> {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  return bytes.subarray(0, await file.read(bytes, 0));
}

function faultAfter(first: SegmentFile | undefined, file: SegmentFile): string | null {
  if (first === undefined) return null;
  if (!file.header.logId.equals(first.header.logId))
    return `it belongs to another log than ${first.name}`;
  if (file.header.partitionCount !== first.header.partitionCount)
    return `it says ${file.header.partitionCount} partitions and ${first.name} says ${first.header.partitionCount}`;
  return null;
}
