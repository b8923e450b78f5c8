/**
 * Judges segments that are there twice, as a raw and as a sealed file: which of the two is to stay. It only reads, so an inspection judges as a start does.
 *
 * Promise: a file is said to go only when the one that stays was read whole: each frame and its place in the chain, up to what the segment behind names, and of a
 * sealed one each checksum and the digest. Two that hold the same, byte for byte, need no walk: the digest speaks for the frames. Where neither is whole, or the
 * segment behind is no help, none is said to go.
 *
 * The last pair is judged first, so that the segment behind one is always a file that stays.
 */
import { createHash } from 'node:crypto';
import { Problem } from '@allsource/shared/errors';
import { type Disk, type DiskFile, diskErrorCode, isShortage } from '../storage/disk.ts';
import { BlockCache } from './block-cache.ts';
import { walkFullSegment } from './full-segment.ts';
import { copiesProblem, faultText, segmentProblem } from './log-damage.ts';
import { sealedFault } from './seal-segment.ts';
import { readSealedHeader, SealedFile } from './sealed-file.ts';
import { rawNameOf, SEALED_SUFFIX, sealedNameOf } from './sealed-format.ts';
import { readSegmentFile, type SegmentFile } from './segment-headers.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, SEGMENT_SUFFIX } from './segment.ts';

const WINDOW_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(WINDOW_BYTES);
const atOnce = () => Promise.resolve();

export type CopyJudgement =
  /** Both hold the same; the sealed one stays. */
  | { readonly kind: 'same'; readonly kept: string; readonly other: string }
  /** One is whole, and the other is not the same, because of `reason`. */
  | {
      readonly kind: 'one';
      readonly kept: string;
      readonly other: string;
      readonly reason: string;
    }
  /** Neither may go. */
  | { readonly kind: 'neither'; readonly problem: Problem };

/** Judges the pairs among the files of a folder, up to the first that is `neither`. Throws what the disk throws when a file is gone or there is no handle. */
export async function judgeCopies(disk: Disk): Promise<CopyJudgement[]> {
  const names = new Set(await disk.list(''));
  const judgements: CopyJudgement[] = [];
  let next: string | null = null;
  for (const rawName of rawNamesOf(names).toReversed()) {
    const sealedName = sealedNameOf(rawName);
    if (names.has(rawName) && names.has(sealedName)) {
      const judgement = await judge(disk, { rawName, sealedName, next });
      judgements.push(judgement);
      if (judgement.kind === 'neither') break;
      next = judgement.kept;
    } else {
      next = names.has(rawName) ? rawName : sealedName;
    }
  }
  return judgements;
}

/** The names that the segments have, or had, as raw files, in order. */
function rawNamesOf(names: ReadonlySet<string>): string[] {
  const raw = new Set<string>();
  for (const name of names) {
    if (name.endsWith(SEGMENT_SUFFIX)) raw.add(name);
    else if (name.endsWith(SEALED_SUFFIX)) raw.add(rawNameOf(name));
  }
  return [...raw].toSorted();
}

interface Pair {
  readonly rawName: string;
  readonly sealedName: string;
  /** The file of the segment behind; null when there is none. */
  readonly next: string | null;
}

async function judge(disk: Disk, pair: Pair): Promise<CopyJudgement> {
  const { rawName, sealedName } = pair;
  const difference = await faultOf(sealedName, () => requireSame(disk, pair));
  if (difference === null) return { kind: 'same', kept: sealedName, other: rawName };
  const next = await readNext(disk, pair);
  if (next instanceof Problem) return { kind: 'neither', problem: next };
  const rawFault = await faultOf(rawName, () => requireWhole(disk, rawName, next));
  const fault = await faultOf(sealedName, () => requireWhole(disk, sealedName, next));
  if (fault === null) {
    const reason = faultText(rawFault ?? difference);
    return { kind: 'one', kept: sealedName, other: rawName, reason };
  }
  if (rawFault === null)
    return { kind: 'one', kept: rawName, other: sealedName, reason: faultText(fault) };
  return {
    kind: 'neither',
    problem: copiesProblem({ name: rawName, fault: rawFault }, { name: sealedName, fault }),
  };
}

/**
 * What is wrong with a file; null when nothing is. What cannot be read is no proof. A file that is gone was taken away by a running node (an inspection looks on), and
 * anything but a disk error or damage is a fault of the program.
 */
async function faultOf(name: string, check: () => Promise<void>): Promise<Problem | null> {
  try {
    await check();
    return null;
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown;
    const code = diskErrorCode(thrown);
    if (code === null || code === 'ENOENT' || isShortage(thrown)) throw thrown;
    return segmentProblem(name, `it cannot be read (${code})`);
  }
}

async function readNext(disk: Disk, { sealedName, next }: Pair): Promise<SegmentFile | Problem> {
  if (next === null)
    return segmentProblem(
      sealedName,
      'no segment follows it, and one is sealed only when one does',
    );
  try {
    return await readSegmentFile(disk, next);
  } catch (thrown) {
    if (thrown instanceof Problem) return thrown;
    throw thrown;
  }
}

/** Throws `log_damaged` when a file does not hold a whole segment. */
async function requireWhole(disk: Disk, name: string, next: SegmentFile): Promise<void> {
  const { header, end, sealed } = await readSegmentFile(disk, name);
  const hash = createHash('sha256').update(sealed?.previousDigest ?? '');
  const source =
    sealed === null
      ? await disk.open(name, 'read')
      : await SealedFile.open(disk, name, new BlockCache(0));
  try {
    await walkFullSegment(
      { name, header, source, end, next: next.header },
      { onFrame: (frame) => hash.update(frame.bytes), pace: atOnce },
    );
  } finally {
    await source.close();
  }
  if (sealed === null) return;
  if (!hash.digest().equals(sealed.digest))
    throw segmentProblem(name, 'its frames do not fit its digest');
  if (next.sealed !== null && !next.sealed.previousDigest.equals(sealed.digest))
    throw segmentProblem(name, `${next.name} was sealed behind other frames than it holds`);
}

/** Throws `log_damaged` when the sealed segment does not hold what the raw one does. */
async function requireSame(disk: Disk, { rawName, sealedName }: Pair): Promise<void> {
  const raw = await disk.open(rawName, 'read');
  try {
    const fault =
      (await headFault(disk, raw, sealedName)) ??
      (await sealedFault(disk, { raw, sealedName, pace: atOnce }));
    if (fault !== null) throw segmentProblem(sealedName, fault);
  } finally {
    await raw.close();
  }
}

/** What the sealed segment says of the raw one's header and end. */
async function headFault(disk: Disk, raw: DiskFile, sealedName: string): Promise<string | null> {
  const file = await disk.open(sealedName, 'read');
  try {
    const { segment, framesEnd } = await readSealedHeader(file, sealedName);
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    await raw.read(bytes, 0);
    if (!bytes.equals(encodeSegmentHeader(segment))) return 'the headers differ';
    return (await isZeroFrom(raw, framesEnd)) ? null : 'bytes lie behind the frames of the raw one';
  } finally {
    await file.close();
  }
}

async function isZeroFrom(raw: DiskFile, offset: number): Promise<boolean> {
  const window = Buffer.allocUnsafe(WINDOW_BYTES);
  for (let at = offset; ; at += WINDOW_BYTES) {
    const bytes = window.subarray(0, await raw.read(window, at));
    if (!bytes.equals(ZEROS.subarray(0, bytes.length))) return false;
    if (bytes.length < WINDOW_BYTES) return true;
  }
}
