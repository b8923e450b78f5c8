/**
 * What a crash leaves of sealing, put in order before recovery looks at the folder. Drafts go. Where a segment is there as a raw and as a sealed file, the
 * sealed one is compared with the raw one byte for byte: if it holds the same, the raw file goes, as it was about to; if not, the raw file stays and the
 * sealed one is moved to a folder of its own for whoever wants to look. So no file of the log is removed on anything but the proof that its bytes are
 * elsewhere (I-11).
 */
import type { Disk, DiskFile } from '../storage/disk.ts';
import { diskErrorCode } from '../storage/disk.ts';
import { Problem } from '@allsource/shared/errors';
import type { NoticeListener } from './log-notice.ts';
import { readSealedHeader } from './sealed-file.ts';
import { rawNameOf, SEALED_SUFFIX, sealedNameOf } from './sealed-format.ts';
import { sealedFault } from './seal-segment.ts';
import { isSealingDraft } from './sealing.ts';
import { encodeSegmentHeader, SEGMENT_HEADER_BYTES, SEGMENT_SUFFIX } from './segment.ts';
import { synced } from './write-faults.ts';

export const ASIDE_FOLDER = 'aside';
const WINDOW_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(WINDOW_BYTES);

/** Puts in order what a crash has left of sealing. */
export async function settleSealedLeftovers(disk: Disk, onNotice: NoticeListener): Promise<void> {
  const names = await disk.list('');
  for (const name of names) if (isSealingDraft(name)) await disk.unlink(name);
  const sealed = new Set(names.filter((name) => name.endsWith(SEALED_SUFFIX)));
  for (const rawName of names) {
    if (!rawName.endsWith(SEGMENT_SUFFIX) || !sealed.has(sealedNameOf(rawName))) continue;
    const fault = await faultOf(disk, sealedNameOf(rawName));
    if (fault === null) await removeRaw(disk, rawName);
    else await setAside(disk, { name: sealedNameOf(rawName), reason: fault, onNotice });
  }
}

async function faultOf(disk: Disk, sealedName: string): Promise<string | null> {
  const raw = await disk.open(rawNameOf(sealedName), 'read');
  try {
    return (
      (await headFault(disk, raw, sealedName)) ??
      (await sealedFault(disk, { raw, sealedName, pace: async () => undefined }))
    );
  } catch (thrown) {
    // What cannot be read is no proof. Anything but a disk error or damage is a fault of the program.
    if (thrown instanceof Problem) return thrown.message;
    if (diskErrorCode(thrown) === null) throw thrown;
    return String(thrown);
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
    if (!bytes.equals(encodeSegmentHeader(segment))) return 'another header';
    return (await isZeroFrom(raw, framesEnd)) ? null : 'it ends before the frames do';
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

// The sealed file's name may not be durable yet: the crash may have come right behind its rename.
async function removeRaw(disk: Disk, rawName: string): Promise<void> {
  await synced(disk.syncFolder(''));
  await disk.unlink(rawName);
  await synced(disk.syncFolder(''));
}

async function setAside(
  disk: Disk,
  sealed: { readonly name: string; readonly reason: string; readonly onNotice: NoticeListener },
): Promise<void> {
  const { name, reason, onNotice } = sealed;
  const savedAs = `${ASIDE_FOLDER}/${name}`;
  await disk.makeFolder(ASIDE_FOLDER);
  await disk.rename(name, savedAs);
  await disk.syncFolder(ASIDE_FOLDER);
  await disk.syncFolder('');
  onNotice({ kind: 'sealed_set_aside', segment: name, reason, savedAs });
}
