/**
 * Seals raw segments that stand before a sealed one: such a segment was restored from a backup that is older than its sealing, or its sealed file was set aside.
 * It is done before recovery, which wants sealed segments to come first, so that each digest rests on the one before.
 *
 * Promise: the digest of what is sealed is the one that the next sealed segment names, so it is the segment that had been there, byte for byte. Otherwise, and when it
 * does not verify, `log_damaged` names it and the folder is as it was.
 *
 * Order and what a crash leaves: as in `sealing.ts`. The headers of all segments are read before anything is changed.
 */
import { must } from '@allsource/shared/lang';
import { asError, type Disk, diskErrorCode } from '../storage/disk.ts';
import { segmentProblem } from './log-damage.ts';
import type { NoticeListener } from './log-notice.ts';
import { sealSegment } from './seal-segment.ts';
import {
  decodeSealedHeader,
  NO_DIGEST,
  SEALED_SUFFIX,
  type SealedHeader,
  sealedNameOf,
} from './sealed-format.ts';
import { readSegmentFile, type SegmentFile, segmentNames } from './segment-headers.ts';
import { synced } from './write-faults.ts';

interface Restoring {
  readonly disk: Disk;
  readonly onNotice: NoticeListener;
  /** The writer's epoch, for the name of the draft. */
  readonly epoch: number;
  readonly nowMs: () => number;
}

/** Seals every raw segment that has a sealed one behind it. Throws `log_damaged` for one that does not belong there, and what the disk throws. */
export async function sealRestored(restoring: Restoring): Promise<void> {
  const { disk } = restoring;
  const names = await segmentNames(disk);
  const lastSealed = names.findLastIndex(isSealedName);
  if (names.slice(0, Math.max(0, lastSealed)).every(isSealedName)) return;
  const files: SegmentFile[] = [];
  for (const name of names) files.push(await readSegmentFile(disk, name));
  let previousDigest: Buffer = NO_DIGEST;
  for (const [ordinal, file] of files.slice(0, lastSealed).entries()) {
    const next = must(files[ordinal + 1], 'a segment before the last');
    const sealed = file.sealed ?? (await sealAgain(restoring, { file, next, previousDigest }));
    previousDigest = sealed.digest;
  }
}

function isSealedName(name: string): boolean {
  return name.endsWith(SEALED_SUFFIX);
}

interface Place {
  readonly file: SegmentFile;
  readonly next: SegmentFile;
  readonly previousDigest: Buffer;
}

async function sealAgain(restoring: Restoring, place: Place): Promise<SealedHeader> {
  const { disk, onNotice, epoch, nowMs } = restoring;
  const { file } = place;
  const startedMs = nowMs();
  const draftName = `sealing-${epoch}-0.tmp`;
  const sealed = await draftOf(disk, place, draftName);
  const name = sealedNameOf(file.name);
  await disk.rename(draftName, name);
  await synced(disk.syncFolder(''));
  await protect(restoring, name);
  await disk.unlink(file.name);
  await synced(disk.syncFolder(''));
  const { fileBytes: rawBytes } = file;
  const { fileBytes: sealedBytes } = sealed;
  const tookMs = nowMs() - startedMs;
  onNotice({ kind: 'segment_sealed', segment: name, rawBytes, sealedBytes, tookMs });
  return sealed;
}

// A guard only, so a file system that knows no read-only files is no reason not to start.
async function protect({ disk, onNotice }: Restoring, name: string): Promise<void> {
  try {
    await disk.protect(name);
  } catch (thrown) {
    onNotice({ kind: 'chore_failed', chore: 'protect_segment', cause: asError(thrown) });
  }
}

async function draftOf(disk: Disk, place: Place, draftName: string): Promise<SealedHeader> {
  try {
    return await requiredDraft(disk, place, draftName);
  } catch (thrown) {
    await removeDraft(disk, draftName);
    throw thrown;
  }
}

async function requiredDraft(
  disk: Disk,
  { file, next, previousDigest }: Place,
  draftName: string,
): Promise<SealedHeader> {
  const { firstPosition, previousChecksum } = next.header;
  const { header } = await sealSegment(
    { disk, pace: async () => undefined },
    { rawName: file.name, draftName, next: { firstPosition, previousChecksum }, previousDigest },
  );
  const decoded = decodeSealedHeader(Buffer.from(header));
  const sealed = must(decoded.kind === 'header' ? decoded.header : null, 'the header of a draft');
  if (next.sealed === null || next.sealed.previousDigest.equals(sealed.digest)) return sealed;
  throw segmentProblem(file.name, `${next.name} was sealed behind other frames than it holds`);
}

async function removeDraft(disk: Disk, draftName: string): Promise<void> {
  try {
    await disk.unlink(draftName);
  } catch (thrown) {
    // It was not made yet, or the next start removes it.
    if (diskErrorCode(thrown) === null) throw thrown;
  }
}
