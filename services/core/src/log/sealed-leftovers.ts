/**
 * What a crash leaves of sealing, put in order before recovery looks at the folder. Drafts go. Where a segment is there as a raw and as a sealed file
 * (`segment-copies.ts`) and both hold the same, the raw file goes, as it was about to. Where they do not, the one that is whole stays, and the other is moved to a
 * folder of its own for whoever wants to look. Where neither is whole, `log_damaged` names both, and the folder is as it was. So no file of the log is removed or
 * moved on anything but the proof that its events are elsewhere (I-11).
 *
 * Order: all pairs are judged; then for each the name of the file that stays is synced, the other one is removed or moved, and the folders are synced. A crash
 * leaves both files, or the one that stays.
 */
import type { Disk } from '../storage/disk.ts';
import type { NoticeListener } from './log-notice.ts';
import { isSealingDraft } from './sealing.ts';
import { type CopyJudgement, judgeCopies } from './segment-copies.ts';
import { synced } from './write-faults.ts';

export const ASIDE_FOLDER = 'aside';

/** Puts in order what a crash has left of sealing. Throws `log_damaged` when neither file of a segment is whole. */
export async function settleSealedLeftovers(disk: Disk, onNotice: NoticeListener): Promise<void> {
  for (const name of await disk.list('')) if (isSealingDraft(name)) await disk.unlink(name);
  const judgements = await judgeCopies(disk);
  for (const judgement of judgements) if (judgement.kind === 'neither') throw judgement.problem;
  for (const judgement of judgements) {
    if (judgement.kind === 'same') await removeRaw(disk, judgement.other);
    else if (judgement.kind === 'one') await setAside(disk, judgement, onNotice);
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
  { kept, other, reason }: Extract<CopyJudgement, { kind: 'one' }>,
  onNotice: NoticeListener,
): Promise<void> {
  const savedAs = `${ASIDE_FOLDER}/${other}`;
  await synced(disk.syncFolder(''));
  await disk.makeFolder(ASIDE_FOLDER);
  await disk.rename(other, savedAs);
  await synced(disk.syncFolder(ASIDE_FOLDER));
  await synced(disk.syncFolder(''));
  onNotice({ kind: 'copy_set_aside', segment: other, kept, reason, savedAs });
}
