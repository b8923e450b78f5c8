import { positionAfter } from '@allsource/shared/model';
import type { Disk, DiskFile } from '../storage/disk.ts';
import { missingPositionsProblem } from '../storage/missing-positions.ts';
import { segmentProblem } from './log-damage.ts';
import { readSealedHeader } from './sealed-file.ts';
import {
  firstPositionOf,
  NO_DIGEST,
  rawNameOf,
  SEALED_SUFFIX,
  type SealedHeader,
} from './sealed-format.ts';
import {
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  SEGMENT_SUFFIX,
  type SegmentHeader,
} from './segment.ts';

/** A segment file, raw or sealed, with a good header. */
export interface SegmentFile {
  readonly name: string;
  readonly header: SegmentHeader;
  readonly fileBytes: number;
  /** The offset behind which no frame lies, of the raw segment: the length of a raw file. */
  readonly end: number;
  /** What a sealed segment says of itself; null of a raw one. */
  readonly sealed: SealedHeader | null;
}

/**
 * The segment files of a folder in order, with their names and headers checked against each other. Whether the frames fill the
 * positions between them is for the walk to see. Throws `log_damaged` for a file that does not fit.
 */
export async function readSegmentHeaders(disk: Disk): Promise<SegmentFile[]> {
  const names = await segmentNames(disk);
  const files: SegmentFile[] = [];
  for (const name of names) {
    const file = await readSegmentFile(disk, name);
    const fault = faultAfter(files[0], file) ?? linkFault(files.at(-1), file);
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

/** The names of the segments' files in order. A sealed one beside its raw one is the work of a writer that was fenced meanwhile, and the next start's. */
export async function segmentNames(disk: Disk): Promise<string[]> {
  const names = await disk.list('');
  const raw = new Set(names.filter((name) => name.endsWith(SEGMENT_SUFFIX)));
  const sealed = names.filter((name) => name.endsWith(SEALED_SUFFIX) && !raw.has(rawNameOf(name)));
  return [...raw, ...sealed].sort();
}

/** A segment's file with its header. Throws `log_damaged` for a header that does not verify or is of another segment. */
export async function readSegmentFile(disk: Disk, name: string): Promise<SegmentFile> {
  const firstPosition = firstPositionOf(name);
  if (firstPosition === null) throw segmentProblem(name, 'its name is not a position in 20 digits');
  const file = await disk.open(name, 'read');
  try {
    const read = name.endsWith(SEALED_SUFFIX)
      ? await readSealed(file, name)
      : await readRaw(file, name);
    const { header } = read;
    if (header.firstPosition !== firstPosition)
      throw segmentProblem(
        name,
        `its header says that it begins at position ${header.firstPosition}`,
      );
    return { name, ...read };
  } finally {
    await file.close();
  }
}

type ReadFile = Omit<SegmentFile, 'name'>;

async function readRaw(file: DiskFile, name: string): Promise<ReadFile> {
  const decoded = decodeSegmentHeader(await firstBytes(file));
  if (decoded.kind === 'damaged')
    throw segmentProblem(name, `its header is damaged, ${decoded.reason}`);
  const fileBytes = await file.size();
  return { header: decoded.header, fileBytes, end: fileBytes, sealed: null };
}

async function readSealed(file: DiskFile, name: string): Promise<ReadFile> {
  const sealed = await readSealedHeader(file, name);
  const { segment: header, fileBytes, framesEnd: end } = sealed;
  return { header, fileBytes, end, sealed };
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

/** What a sealed segment says of its neighbours must be so. Raw segments say it with their frames. */
function linkFault(before: SegmentFile | undefined, file: SegmentFile): string | null {
  const previousDigest = before === undefined ? NO_DIGEST : before.sealed?.digest;
  if (file.sealed !== null && previousDigest?.equals(file.sealed.previousDigest) !== true)
    return before === undefined
      ? 'it is sealed behind a segment that is not there'
      : `it was sealed behind another segment than ${before.name}`;
  if (before === undefined || before.sealed === null) return null;
  const { lastPosition, lastChecksum } = before.sealed;
  const { firstPosition, previousChecksum } = file.header;
  if (firstPosition === lastPosition + 1 && previousChecksum === lastChecksum) return null;
  return `it does not follow the last frame of ${before.name}`;
}
