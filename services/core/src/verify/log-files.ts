/**
 * The segment files of a folder as an inspection needs them: every one, also with a header that cannot be read. Unlike recovery
 * (`log/segment-headers.ts`), which refuses the first fault, it goes on with what the file names say.
 */
import { type Position, POSITION_ZERO } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import {
  decodeSegmentHeader,
  parseSegmentName,
  SEGMENT_HEADER_BYTES,
  SEGMENT_SUFFIX,
  type SegmentHeader,
} from '../log/segment.ts';
import { type HeadMarker, readHeadMarker } from '../log/head-marker.ts';
import { surveyTail } from '../log/tail-survey.ts';
import type { Disk } from '../storage/disk.ts';
import { segmentPieces } from './segment-pieces.ts';
import { TolerantSource } from './tolerant-source.ts';

/** A segment file, its header good or not. */
export interface InspectedFile {
  readonly name: string;
  /** The first position that its name says. */
  readonly firstPosition: Position;
  readonly fileBytes: number;
  readonly header: SegmentHeader | null;
  /** Why there is no header; null when there is one. */
  readonly headerFault: string | null;
}

export interface LogFiles {
  readonly files: readonly InspectedFile[];
  /** Files that end like a segment and have a name that none has. */
  readonly strangers: readonly string[];
  /** Null when no header and no frame says it. */
  readonly logId: Buffer | null;
  readonly partitionCount: number | null;
  readonly marker: HeadMarker | null;
  /** The highest position that the newest segment or the marker says was durable. */
  readonly durablePosition: number;
}

/** Looks at every segment's header, the marker and the newest segment. Reads files only. */
export async function readLogFiles(disk: Disk): Promise<LogFiles> {
  const names = (await disk.list('')).filter((name) => name.endsWith(SEGMENT_SUFFIX)).toSorted();
  const files: InspectedFile[] = [];
  const strangers: string[] = [];
  for (const name of names) {
    const firstPosition = parseSegmentName(name);
    if (firstPosition === null) strangers.push(name);
    else files.push(await readFile(disk, { name, firstPosition }));
  }
  const header = files.find((file) => file.header !== null)?.header ?? null;
  const logId = header?.logId ?? (await logIdOfFrames(disk, files));
  const marker = await readHeadMarker(disk);
  // Where no segment is left, the marker alone knows of the log.
  const ownMarker = logId === null || marker?.logId.equals(logId) === true ? marker : null;
  const told = await durableToldBy(disk, files.at(-1), logId);
  // A segment that exists says that everything before it was durable.
  const beforeLast = (files.at(-1)?.firstPosition ?? 1) - 1;
  const durablePosition = Math.max(told, ownMarker?.position ?? 0, beforeLast);
  const partitionCount = header?.partitionCount ?? null;
  return { files, strangers, logId, partitionCount, marker: ownMarker, durablePosition };
}

async function readFile(
  disk: Disk,
  at: { readonly name: string; readonly firstPosition: Position },
): Promise<InspectedFile> {
  const file = await disk.open(at.name, 'read');
  try {
    const fileBytes = await file.size();
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const read = await new TolerantSource(file).read(bytes, 0);
    const decoded = decodeSegmentHeader(bytes.subarray(0, read));
    if (decoded.kind === 'damaged')
      return { ...at, fileBytes, header: null, headerFault: decoded.reason };
    const { header } = decoded;
    if (header.firstPosition === at.firstPosition)
      return { ...at, fileBytes, header, headerFault: null };
    const headerFault = `it says that the segment begins at position ${header.firstPosition}`;
    return { ...at, fileBytes, header: null, headerFault };
  } finally {
    await file.close();
  }
}

// With every header lost, the frames still say which log they are of.
async function logIdOfFrames(disk: Disk, files: readonly InspectedFile[]): Promise<Buffer | null> {
  for (const file of files) {
    const frame = await firstFrame(disk, file);
    if (frame !== null) return Buffer.from(frame.logId);
  }
  return null;
}

async function firstFrame(disk: Disk, file: InspectedFile): Promise<Frame | null> {
  const source = await disk.open(file.name, 'read');
  try {
    const range = { source, start: SEGMENT_HEADER_BYTES, end: file.fileBytes };
    for await (const pieces of segmentPieces(range)) {
      const found = pieces.find((piece) => piece.kind === 'frame');
      if (found !== undefined) return found.frame;
    }
    return null;
  } finally {
    await source.close();
  }
}

/**
 * How far the log was durable when the newest frame of its last segment was made. It is asked before the segment is walked, so that in the folder of
 * a running node only bytes that had been durable by then are called damage.
 */
async function durableToldBy(
  disk: Disk,
  last: InspectedFile | undefined,
  logId: Buffer | null,
): Promise<Position> {
  if (last === undefined || logId === null) return POSITION_ZERO;
  const file = await disk.open(last.name, 'read');
  try {
    const survey = await surveyTail({
      source: new TolerantSource(file),
      logId,
      offset: SEGMENT_HEADER_BYTES,
      end: last.fileBytes,
      position: last.firstPosition,
    });
    return survey.durablePosition;
  } finally {
    await file.close();
  }
}
