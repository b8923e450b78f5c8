/**
 * The program behind `allsource verify` and `allsource doctor`, started by the command for a folder and by a running core for its own: an inspection reads
 * gigabytes and holds a table of entities, and neither may weigh on the process that serves appends. It prints the lines of
 * `shared/protocol/inspection.ts`, reads files only, takes no lock, and runs at the lowest priority.
 *
 *     inspect.program.js verify FOLDER [UP_TO_POSITION]
 *     inspect.program.js examine FOLDER
 *
 * Its exit code is 0 when the last line is a whole answer, whatever was found, and 1 after a `failure` line.
 */
import { constants, setPriority } from 'node:os';
import type { InspectionFailure, InspectionRecord } from '@allsource/shared/protocol';
import { lockedBy } from '@allsource/service-kit/lifecycle';
import { diskErrorCode } from '../storage/disk.ts';
import { NodeDisk } from '../storage/node-disk.ts';
import { examineFolder } from './examine-folder.ts';
import { findLogFolder } from './log-folder.ts';
import { newestCheckpoint } from './newest-checkpoint.ts';
import { ReadOnlyDisk } from './read-only-disk.ts';
import { verifyLog } from './verify-log.ts';

/** Time between two lines about the progress. */
const PROGRESS_EVERY_MS = 200;

const nowMs = () => performance.now();
let progressDueAtMs = 0;

function print(record: InspectionRecord): void {
  if (record.record === 'progress') {
    if (nowMs() < progressDueAtMs) return;
    progressDueAtMs = nowMs() + PROGRESS_EVERY_MS;
  }
  process.stdout.write(`${JSON.stringify(record)}\n`);
}

async function verify(folder: string, upTo: number | null): Promise<void> {
  const found = findLogFolder(folder);
  if (found === null) {
    fail(
      'not_found',
      `There is no log in ${folder}: neither core/log with segments in it, nor segments.`,
    );
    return;
  }
  const disk = new ReadOnlyDisk(new NodeDisk(found.logFolder));
  const owner = await lockedBy(found.coreFolder);
  const checkpoint = await newestCheckpoint(found.coreFolder);
  await verifyLog({ disk, checkpoint, upTo, owner, emit: print, nowMs });
}

function fail(code: InspectionFailure['code'], message: string): void {
  print({ record: 'failure', code, message });
  process.exitCode = 1;
}

async function inspect([verb, folder, upTo]: readonly string[]): Promise<void> {
  if (folder === undefined)
    fail('failed', 'Usage: verify FOLDER [UP_TO_POSITION] | examine FOLDER');
  else if (verb === 'examine')
    await examineFolder({ folder, emit: print, nowMs, wallMs: Date.now });
  else await verify(folder, upTo === undefined ? null : Number(upTo));
}

setPriority(constants.priority.PRIORITY_LOW);
// Whoever reads the lines may go away; then there is nothing left to do.
process.stdout.on('error', () => process.exit(1));
try {
  await inspect(process.argv.slice(2));
} catch (error) {
  const code = diskErrorCode(error);
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'EACCES' || code === 'EPERM')
    fail('not_permitted', `This user may not read the log: ${message}.`);
  else fail('failed', code === null && error instanceof Error ? (error.stack ?? message) : message);
}
