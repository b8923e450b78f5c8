import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { InspectionCheck } from '@allsource/shared/protocol';
import { CHECKPOINTS_FOLDER, isCheckpoint, isSetAside } from '../checkpoint/checkpoint-folder.ts';
import { StoredCheckpoint } from '../checkpoint/stored-checkpoint.ts';
import { UnusableCheckpoint } from '../storage/checkpoint-port.ts';
import { diskErrorCode } from '../storage/disk.ts';
import { NodeDisk } from '../storage/node-disk.ts';
import { fine, warning } from './check.ts';
import { ReadOnlyDisk } from './read-only-disk.ts';

const ADVICE =
  'Nothing is lost, and the next start takes longer: it uses an older checkpoint or the log alone. Look for disk errors in the system log (dmesg), and run `allsource verify` on the log.';

/** Reads every byte of the checkpoints in core's folder against their checksums. A damaged one is no damage of the data, but its disk is worth a look. */
export async function checkpointCheck(coreFolder: string): Promise<InspectionCheck> {
  const folder = join(coreFolder, CHECKPOINTS_FOLDER);
  const disk = new ReadOnlyDisk(new NodeDisk(folder));
  const names = await disk.list('');
  const faults: string[] = [];
  const whole: StoredCheckpoint[] = [];
  for (const name of names.filter(isCheckpoint)) {
    try {
      whole.push(await readWhole(disk, name));
    } catch (thrown) {
      if (!(thrown instanceof UnusableCheckpoint)) throw thrown;
      if (diskErrorCode(thrown.cause) === 'EACCES') return unreadable(name);
      // A running core removes old ones.
      if (existsSync(join(folder, name))) faults.push(`${name}: ${thrown.message}`);
    }
  }
  for (const name of names.filter(isSetAside))
    faults.push(`${name}: an earlier start could not use it`);
  if (faults.length > 0)
    return warning('checkpoints', `Checkpoints that are of no use: ${faults.join('; ')}.`, ADVICE);
  return fine('checkpoints', wholeText(whole));
}

async function readWhole(disk: ReadOnlyDisk, name: string): Promise<StoredCheckpoint> {
  const checkpoint = await StoredCheckpoint.open(disk, name);
  await checkpoint.loadInto([]);
  return checkpoint;
}

function unreadable(name: string): InspectionCheck {
  return warning(
    'checkpoints',
    `This user may not read the checkpoint ${name}.`,
    'Run as the user of the store: only that one may read checkpoints, for they hold hashes of keys.',
  );
}

function wholeText(whole: readonly StoredCheckpoint[]): string {
  const [first, ...others] = whole.toSorted((a, b) => b.anchor.position - a.anchor.position);
  if (first === undefined) return 'There is no checkpoint: a start reads the whole log.';
  const more = others.length === 0 ? '' : `, and ${others.length} older`;
  return `The checkpoint of position ${first.anchor.position} is whole${more}.`;
}
