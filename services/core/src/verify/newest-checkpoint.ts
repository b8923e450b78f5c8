import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKPOINTS_FOLDER, isCheckpoint } from '../checkpoint/checkpoint-folder.ts';
import { StoredCheckpoint } from '../checkpoint/stored-checkpoint.ts';
import { type SavedState, UnusableCheckpoint } from '../storage/checkpoint-port.ts';
import { NodeDisk } from '../storage/node-disk.ts';
import { ReadOnlyDisk } from './read-only-disk.ts';

/** What a checkpoint says of the log: where a start begins, and how far it knows the log to have been durable. */
export type CheckpointEnds = Pick<SavedState, 'anchor' | 'through'>;

/** The newest checkpoint in core's folder whose ends are whole; null when this user can read none. */
export async function newestCheckpoint(coreFolder: string): Promise<CheckpointEnds | null> {
  const folder = join(coreFolder, CHECKPOINTS_FOLDER);
  if (!existsSync(folder)) return null;
  const disk = new ReadOnlyDisk(new NodeDisk(folder));
  const names = (await disk.list('')).filter(isCheckpoint);
  for (const name of names.toSorted().toReversed()) {
    try {
      return await StoredCheckpoint.open(disk, name);
    } catch (thrown) {
      if (!(thrown instanceof UnusableCheckpoint)) throw thrown;
    }
  }
  return null;
}
