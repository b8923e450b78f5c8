/**
 * The segment files of a folder as an inspection needs them: every one, also with a header that cannot be read. Unlike recovery
 * (`log/segment-headers.ts`), which refuses the first fault, it goes on with what the file names say.
 */
import { type Position, POSITION_ZERO, positionAfter } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import { type HeadMarker, readHeadMarker } from '../log/head-marker.ts';
import {
  decodeSealedHeader,
  firstPositionOf,
  rawNameOf,
  SEALED_HEADER_BYTES,
  SEALED_SUFFIX,
  type SealedHeader,
  sealedNameOf,
} from '../log/sealed-format.ts';
import {
  decodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  SEGMENT_SUFFIX,
  type SegmentHeader,
} from '../log/segment.ts';
import { judgeCopies } from '../log/segment-copies.ts';
import { surveyTail } from '../log/tail-survey.ts';
import { type Disk, type DiskFile, diskErrorCode } from '../storage/disk.ts';
import type { LogAnchor } from '../storage/log-store.ts';
import { openSegmentBytes } from './segment-bytes.ts';
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
  /** What a sealed segment says of itself; null of a raw one, and of one that cannot say it. */
  readonly sealed: SealedHeader | null;
  /** Bytes of the header. */
  readonly headerBytes: number;
}

/** True for a sealed segment's file, whatever is in it. */
export function isSealedFile({ name }: Pick<InspectedFile, 'name'>): boolean {
  return name.endsWith(SEALED_SUFFIX);
}

/** A file that the next start moves aside (`log/segment-copies.ts`). */
export interface UnusedCopy {
  readonly name: string;
  readonly kept: string;
  readonly reason: string;
}

export interface LogFiles {
  readonly files: readonly InspectedFile[];
  /** Files that end like a segment and have a name that none has. */
  readonly strangers: readonly string[];
  /** Files of segments that are there twice, and of which the other one is used because it is whole. */
  readonly copies: readonly UnusedCopy[];
  /** Null when no header and no frame says it. */
  readonly logId: Buffer | null;
  readonly partitionCount: number | null;
  readonly marker: HeadMarker | null;
  /** The highest position that the newest segment, the marker or the checkpoint says was durable. */
  readonly durablePosition: number;
}

/**
 * Looks at every segment's header, the marker and the newest segment. Reads files only. `checkpoint` is a frame that a checkpoint says was durable.
 *
 * The order matters in the folder of a running node: what says that a position was durable (the marker, a checkpoint) is read before the segments are listed, so
 * that no position counts as durable that lies in a segment made after the listing.
 */
export async function readLogFiles(disk: Disk, checkpoint: LogAnchor | null): Promise<LogFiles> {
  const marker = await readHeadMarker(disk);
  const copies = await unusedCopies(disk);
  const unused = new Set(copies.map(({ name }) => name));
  const { files, strangers } = await readSegmentFiles(disk, unused);
  const header = files.find((file) => file.header !== null)?.header ?? null;
  const logId = header?.logId ?? (await logIdOfFrames(disk, files));
  // Where no segment is left, the marker and the checkpoint alone know of the log.
  const ownMarker = logId === null || marker?.logId.equals(logId) === true ? marker : null;
  const told = await durableToldBy(disk, files.at(-1), logId);
  // A segment that exists says that everything before it was durable.
  const beforeLast = (files.at(-1)?.firstPosition ?? 1) - 1;
  const ownCheckpoint =
    logId === null || checkpoint?.logId.equals(logId) === true ? checkpoint : null;
  const witnessed = Math.max(ownMarker?.position ?? 0, ownCheckpoint?.position ?? 0);
  const durablePosition = Math.max(told, witnessed, beforeLast);
  const partitionCount = header?.partitionCount ?? null;
  return { files, strangers, copies, logId, partitionCount, marker: ownMarker, durablePosition };
}

/** Judged as a start does. Where neither file is whole the raw one counts, and the walk over it says what is wrong. */
async function unusedCopies(disk: Disk): Promise<UnusedCopy[]> {
  try {
    const judgements = await judgeCopies(disk);
    return judgements.flatMap((judgement) =>
      judgement.kind === 'one'
        ? [{ name: judgement.other, kept: judgement.kept, reason: judgement.reason }]
        : [],
    );
  } catch (thrown) {
    // A running node has taken the raw file away meanwhile: then both held the same.
    if (diskErrorCode(thrown) !== 'ENOENT') throw thrown;
    return [];
  }
}

interface SegmentFiles {
  readonly files: readonly InspectedFile[];
  readonly strangers: readonly string[];
}

/**
 * Every segment's file. A sealed segment has another one behind it, so a sealed one at the end was sealed after the listing, and the folder is listed again;
 * one that is still the last then has lost what was behind it.
 */
async function readSegmentFiles(disk: Disk, unused: ReadonlySet<string>): Promise<SegmentFiles> {
  let listed = await readListedFiles(disk, unused);
  for (;;) {
    const last = listed.files.at(-1);
    if (last === undefined || !isSealedFile(last)) return listed;
    const again = await readListedFiles(disk, unused);
    if (again.files.at(-1)?.name === last.name) return again;
    listed = again;
  }
}

async function readListedFiles(disk: Disk, unused: ReadonlySet<string>): Promise<SegmentFiles> {
  const files: InspectedFile[] = [];
  const strangers: string[] = [];
  for (const name of await segmentNames(disk, unused)) {
    const firstPosition = firstPositionOf(name);
    if (firstPosition === null) strangers.push(name);
    else files.push(await readFile(disk, { name, firstPosition }));
  }
  return { files, strangers };
}

/**
 * The names of the segments in order. A folder is listed twice, because a running node may seal a segment while it is listed: then the first list lacks the
 * one file and the second the other. Where both are there and none of them is `unused`, the raw one counts.
 */
async function segmentNames(disk: Disk, unused: ReadonlySet<string>): Promise<string[]> {
  const listed = [...(await disk.list('')), ...(await disk.list(''))];
  const names = new Set(listed.filter((name) => !unused.has(name)));
  const isCounted = (name: string) =>
    name.endsWith(SEGMENT_SUFFIX) || (name.endsWith(SEALED_SUFFIX) && !names.has(rawNameOf(name)));
  return [...names].filter(isCounted).toSorted();
}

interface NamedFile {
  readonly name: string;
  readonly firstPosition: Position;
}

async function readFile(disk: Disk, at: NamedFile): Promise<InspectedFile> {
  const file = await openSealedMeanwhile(disk, at);
  const isSealed = file.name.endsWith(SEALED_SUFFIX);
  try {
    const fileBytes = await file.opened.size();
    const headerBytes = isSealed ? SEALED_HEADER_BYTES : SEGMENT_HEADER_BYTES;
    const bytes = Buffer.alloc(headerBytes);
    const read = await new TolerantSource(file.opened).read(bytes, 0);
    const decoded = decodeHeader(bytes.subarray(0, read), isSealed);
    const named = { name: file.name, firstPosition: at.firstPosition, fileBytes, headerBytes };
    if (decoded.kind === 'damaged')
      return { ...named, header: null, sealed: null, headerFault: decoded.reason };
    const headerFault = headerFaultOf(decoded, named);
    if (headerFault !== null) return { ...named, header: null, sealed: null, headerFault };
    return { ...named, header: decoded.header, sealed: decoded.sealed, headerFault: null };
  } finally {
    await file.opened.close();
  }
}

async function openSealedMeanwhile(
  disk: Disk,
  { name }: NamedFile,
): Promise<{ readonly name: string; readonly opened: DiskFile }> {
  try {
    return { name, opened: await disk.open(name, 'read') };
  } catch (thrown) {
    if (diskErrorCode(thrown) !== 'ENOENT' || name.endsWith(SEALED_SUFFIX)) throw thrown;
    const sealed = sealedNameOf(name);
    return { name: sealed, opened: await disk.open(sealed, 'read') };
  }
}

type HeaderDecode =
  | {
      readonly kind: 'header';
      readonly header: SegmentHeader;
      readonly sealed: SealedHeader | null;
    }
  | { readonly kind: 'damaged'; readonly reason: string };

function decodeHeader(bytes: Buffer, isSealed: boolean): HeaderDecode {
  if (!isSealed) {
    const decoded = decodeSegmentHeader(bytes);
    return decoded.kind === 'damaged' ? decoded : { ...decoded, sealed: null };
  }
  const decoded = decodeSealedHeader(bytes);
  if (decoded.kind === 'damaged') return decoded;
  return { kind: 'header', header: decoded.header.segment, sealed: decoded.header };
}

function headerFaultOf(
  { header, sealed }: Extract<HeaderDecode, { kind: 'header' }>,
  file: NamedFile & { readonly fileBytes: number },
): string | null {
  if (header.firstPosition !== file.firstPosition)
    return `it says that the segment begins at position ${header.firstPosition}`;
  if (sealed !== null && sealed.fileBytes !== file.fileBytes)
    return `it says ${sealed.fileBytes} bytes and the file has ${file.fileBytes}`;
  return null;
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
  if (isSealedFile(file)) return null;
  const bytes = await openSegmentBytes(disk, file);
  try {
    const range = { source: bytes.source, start: SEGMENT_HEADER_BYTES, end: bytes.end };
    for await (const pieces of segmentPieces(range)) {
      const found = pieces.find((piece) => piece.kind === 'frame');
      if (found !== undefined) return found.frame;
    }
    return null;
  } finally {
    await bytes.close();
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
  // A segment is sealed when one behind it holds a durable frame.
  if (last.sealed !== null) return positionAfter(last.sealed.lastPosition, 1);
  if (isSealedFile(last)) return POSITION_ZERO;
  const bytes = await openSegmentBytes(disk, last);
  try {
    const { source, end } = bytes;
    const place = { offset: SEGMENT_HEADER_BYTES, position: last.firstPosition };
    const survey = await surveyTail({ source, logId, end, ...place });
    return survey.durablePosition;
  } finally {
    await bytes.close();
  }
}
