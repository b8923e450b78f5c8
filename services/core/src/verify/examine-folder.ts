/**
 * What `allsource doctor` finds out about a data folder: the folder itself, who has it open, space, files, the newest segment and the headers of all, the
 * clock, the checkpoints and what starts of the past have set aside. It only reads, and it is quick: of the frames it walks those that a start verifies; `verify-log.ts` walks all.
 */
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type {
  InspectionCheck,
  InspectionFinding,
  InspectionRecord,
} from '@allsource/shared/protocol';
import { lockedBy, type LockOwner } from '@allsource/service-kit/lifecycle';
import { ASIDE_FOLDER } from '../log/sealed-leftovers.ts';
import { diskErrorCode } from '../storage/disk.ts';
import { NodeDisk } from '../storage/node-disk.ts';
import { descriptorCheck, nodeCheck, spaceCheck } from './machine-checks.ts';
import { checkpointCheck } from './checkpoint-check.ts';
import { damage, fault, fine, warning } from './check.ts';
import { leftoverChecks } from './leftover-checks.ts';
import { findLogFolder, type LogFolder } from './log-folder.ts';
import { type LogFiles, readLogFiles, type UnusedCopy } from './log-files.ts';
import { type CheckpointEnds, newestCheckpoint } from './newest-checkpoint.ts';
import { ReadOnlyDisk } from './read-only-disk.ts';
import { verifyLog } from './verify-log.ts';
import { isOtherFormat, SEGMENT_FORMATS } from './segment-format.ts';

/** A clock that is this far behind the newest event was set back; less is the accuracy of clocks. */
const CLOCK_TOLERANCE_MS = 5_000;

export interface ExamineOptions {
  readonly folder: string;
  readonly emit: (record: InspectionRecord) => void;
  /** A clock that never goes back, in milliseconds. */
  readonly nowMs: () => number;
  /** The wall clock, in milliseconds since the epoch. */
  readonly wallMs: () => number;
}

/** Examines a folder and tells of each thing that was looked at. */
export async function examineFolder(options: ExamineOptions): Promise<void> {
  const { emit } = options;
  const folder = resolve(options.folder);
  emit(nodeCheck(process.versions.node));
  const folderFault = faultOfFolder(folder);
  if (folderFault !== null) {
    emit(folderFault);
    return;
  }
  const found = findLogFolder(folder);
  emit(foundCheck(folder, found));
  if (found === null) {
    emit(spaceCheck({ folder, files: null, nowMs: options.wallMs() }));
    return;
  }
  const owner = await lockedBy(found.coreFolder);
  emit(lockCheck(found.coreFolder, owner));
  for (const check of accessChecks(found)) emit(check);
  emit(descriptorCheck(owner));
  await examineLog(options, found, owner);
  emit(await checkpointCheck(found.coreFolder));
  for (const check of leftoverChecks(found.logFolder)) emit(check);
}

function faultOfFolder(folder: string): InspectionCheck | null {
  try {
    if (statSync(folder).isDirectory()) {
      readdirSync(folder);
      return null;
    }
    return fault(
      'folder',
      `${folder} is a file.`,
      'Name the folder that ALLSOURCE_DATA_DIR names.',
    );
  } catch (thrown) {
    const code = diskErrorCode(thrown);
    return code === 'ENOENT'
      ? fault('folder', `There is no folder ${folder}.`, MISSING_ADVICE)
      : fault('folder', `${folder} cannot be read (${code}).`, ownerAdvice(folder));
  }
}

const MISSING_ADVICE =
  'Check the path and ALLSOURCE_DATA_DIR; on a volume, check that it is mounted. A store that starts on a missing folder makes an empty log.';

function ownerAdvice(folder: string): string {
  const user = process.getuid?.() ?? null;
  return user === null
    ? `Give the user of the store the right to read and write ${folder}.`
    : `The user here has the number ${user}; run as the user of the store, or chown -R the folder to it.`;
}

function foundCheck(folder: string, found: LogFolder | null): InspectionCheck {
  if (found !== null) return fine('folder', `The log is in ${found.logFolder}.`);
  const names = readdirSync(folder);
  if (names.length === 0) return warning('folder', `${folder} is empty.`, MISSING_ADVICE);
  const shown = names.slice(0, 5).join(', ');
  return fault(
    'folder',
    `${folder} holds no log of this store; it holds ${shown}${names.length > 5 ? ', ...' : ''}.`,
    MISSING_ADVICE,
  );
}

function lockCheck(folder: string, owner: LockOwner | null): InspectionCheck {
  return owner === null
    ? fine('lock', 'No process has the folder open.')
    : fine(
        'lock',
        `The folder ${folder} is open in ${owner.owner}${owner.pid === null ? '' : ` (process ${owner.pid})`}. A second store cannot start on it.`,
      );
}

/** Whether this user could run the store here. Files that were copied as another user are the usual reason why it cannot. */
function accessChecks({ logFolder }: LogFolder): InspectionCheck[] {
  const paths = [logFolder, ...readdirSync(logFolder).map((name) => join(logFolder, name))];
  const unreadable = paths.filter((path) => !isAllowed(path, constants.R_OK));
  const unwritable = isAllowed(logFolder, constants.W_OK) ? [] : [logFolder];
  if (unreadable.length + unwritable.length === 0)
    return [fine('permissions', 'This user may read the log and write to its folder.')];
  const [first = logFolder] = [...unreadable, ...unwritable];
  const verb = unreadable.length > 0 ? 'read' : 'write to';
  const others = unreadable.length > 1 ? ` and ${unreadable.length - 1} others` : '';
  return [
    fault('permissions', `This user may not ${verb} ${first}${others}.`, ownerAdvice(logFolder)),
  ];
}

function isAllowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return true;
  } catch {
    // Any reason comes to the same: the store could not do it either.
    return !existsSync(path);
  }
}

async function examineLog(
  options: ExamineOptions,
  { coreFolder, logFolder }: LogFolder,
  owner: LockOwner | null,
): Promise<void> {
  const { emit } = options;
  const disk = new ReadOnlyDisk(new NodeDisk(logFolder));
  let files: LogFiles;
  let checkpoint: CheckpointEnds | null;
  try {
    checkpoint = await newestCheckpoint(coreFolder);
    files = await readLogFiles(disk, checkpoint?.through ?? null);
  } catch (thrown) {
    emit(
      fault(
        'log',
        `The log cannot be read (${diskErrorCode(thrown) ?? String(thrown)}).`,
        ownerAdvice(logFolder),
      ),
    );
    return;
  }
  emit(spaceCheck({ folder: logFolder, files, nowMs: options.wallMs() }));
  const foreign = await formatCheck(disk, files);
  if (foreign !== null) {
    emit(foreign);
    return;
  }
  const findings: InspectionFinding[] = [];
  const collect = (record: InspectionRecord) => {
    if (record.record === 'finding') findings.push(record);
  };
  const { nowMs } = options;
  const summary = await verifyLog({
    disk,
    checkpoint,
    upTo: null,
    owner,
    quick: { trustedTo: isOf(files, checkpoint) ? checkpoint.anchor.position : 0 },
    emit: collect,
    nowMs,
  });
  emit(logCheck(files, findings, summary.head));
  for (const copy of files.copies) emit(copyCheck(copy));
  emit(tailCheck(findings));
  emit(markerCheck(files, owner));
  emit(clockCheck(summary.recorded_at, options.wallMs()));
}

/** True for a checkpoint of this log: a start sets one of another aside. */
function isOf(
  { logId }: LogFiles,
  checkpoint: CheckpointEnds | null,
): checkpoint is CheckpointEnds {
  return logId !== null && checkpoint?.anchor.logId.equals(logId) === true;
}

/** A segment of another format version is no damage, and must not be taken for it. */
async function formatCheck(disk: ReadOnlyDisk, files: LogFiles): Promise<InspectionCheck | null> {
  for (const { name, headerFault } of files.files) {
    if (headerFault === null || !(await isOtherFormat(disk, name))) continue;
    return fault(
      'format',
      `Segment ${name} has another format than ${SEGMENT_FORMATS.join(' and ')}, which this version reads.`,
      'Start the version of AllSource that wrote this folder, or a later one.',
    );
  }
  return null;
}

function logCheck(
  files: LogFiles,
  findings: readonly InspectionFinding[],
  head: number,
): InspectionCheck {
  const damages = findings.filter(({ severity }) => severity === 'damage');
  const [first] = damages;
  const looked = `the headers of ${files.files.length} segments and the frames that a start verifies`;
  if (first === undefined)
    return fine('log', `Quick check of ${looked}: no damage. The log ends at position ${head}.`);
  const place = first.segment === null ? '' : ` in segment ${first.segment}`;
  const more = damages.length > 1 ? `, and ${damages.length - 1} more` : '';
  return damage(
    'log',
    `Quick check of ${looked}: ${placeText(first)}${place}: ${first.reason}${more}.`,
    'Change nothing in the folder. Run `allsource verify` for the whole extent, then restore the files that it names from a backup; see docs/guides/operations.md.',
  );
}

function copyCheck({ name, kept, reason }: UnusedCopy): InspectionCheck {
  return warning(
    'copies',
    `Segment ${name} does not hold what its copy ${kept} does, which is whole (${reason}). A start uses that one and moves ${name} to the folder ${ASIDE_FOLDER}.`,
    'Nothing is lost. But bytes on this disk have changed: look at the system log (dmesg) and the disk (smartctl), and run `allsource verify`.',
  );
}

function placeText({ first_position: first, last_position: last }: InspectionFinding): string {
  if (first === null) return 'damage';
  return last === null
    ? `damage from position ${first} on`
    : `damage at positions ${first} to ${last}`;
}

function tailCheck(findings: readonly InspectionFinding[]): InspectionCheck {
  const torn = findings.find(({ kind }) => kind === 'torn_tail');
  if (torn === undefined) return fine('tail', 'The log ends with a whole frame.');
  return fine(
    'tail',
    `Segment ${torn.segment} ends in a torn write of ${(torn.end_offset ?? 0) - (torn.offset ?? 0)} bytes at byte ${torn.offset}. That is what a crash leaves of an append that nobody was told of; the next start sets it aside in the folder torn.`,
  );
}

function markerCheck({ marker, files }: LogFiles, owner: LockOwner | null): InspectionCheck {
  if (marker !== null)
    return fine('marker', `The file head says that position ${marker.position} was durable.`);
  const why =
    files.length === 1 || owner !== null
      ? 'That is so until the first clean stop or the second segment.'
      : 'It was deleted or is damaged; the next clean stop writes it again.';
  return fine(
    'marker',
    `There is no readable file head. ${why} Nothing is lost for the lack of it.`,
  );
}

function clockCheck(recordedAt: string | null, wallMs: number): InspectionCheck {
  if (recordedAt === null)
    return fine('clock', 'The log holds no events to hold the clock against.');
  const behindMs = Date.parse(recordedAt) - wallMs;
  const now = new Date(wallMs).toISOString();
  if (behindMs <= CLOCK_TOLERANCE_MS)
    return fine('clock', `The clock says ${now}; the newest event is of ${recordedAt}.`);
  return warning(
    'clock',
    `The clock says ${now} and the newest event was recorded at ${recordedAt}, ${Math.round(behindMs / 1000)} s later: the clock was set back, or ran ahead then.`,
    'Correct the clock (NTP). Until it has caught up, new events are recorded with the time of the newest; their order is not affected.',
  );
}
