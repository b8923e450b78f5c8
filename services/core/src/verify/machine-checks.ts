import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import type { LockOwner } from '@allsource/service-kit/lifecycle';
import { LIMITS } from '@allsource/shared/limits';
import type { InspectionCheck } from '@allsource/shared/protocol';
import { fault, fine, warning } from './check.ts';
import type { InspectedFile, LogFiles } from './log-files.ts';

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;
/** Bytes of a new segment where no segment tells. */
const SEGMENT_BYTES_DEFAULT = 64 * MIB;
/** Free segments below which the space is worth a warning. */
const SPARE_SEGMENTS_MIN = 4;
const DAYS_LEFT_MIN = 7;
/** A log younger than this tells nothing about a rate per day. */
const RATE_SPAN_MS_MIN = 3_600_000;
/** Segments over which the present rate is taken. */
const RATE_SEGMENTS_MAX = 10;
const NODE_MIN = { major: 22, minor: 15 };
/** Idle segment files, and room for a few thousand connections. */
const DESCRIPTORS_MIN = 4096;
const DESCRIPTOR_SHARE_MAX = 0.8;

/** Whether this Node can run the services. */
export function nodeCheck(version: string): InspectionCheck {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const isEnough = major > NODE_MIN.major || (major === NODE_MIN.major && minor >= NODE_MIN.minor);
  if (isEnough) return fine('node', `Node ${version}.`);
  return warning(
    'node',
    `This is Node ${version}; the services need ${NODE_MIN.major}.${NODE_MIN.minor} or later.`,
    '`npm start` brings a Node of its own. Where you start the services yourself, use Node 24.',
  );
}

export interface Space {
  readonly folder: string;
  readonly files: LogFiles | null;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/** The space left where the log lies, in bytes and, where the log is old enough to tell, in days. */
export function spaceCheck({ folder, files, nowMs }: Space): InspectionCheck {
  const { bavail, bsize } = statfsSync(folder);
  const freeBytes = bavail * bsize;
  const segmentBytes = files?.files.at(-1)?.fileBytes ?? SEGMENT_BYTES_DEFAULT;
  const bytesPerDay = files === null ? null : growthPerDay(files.files, nowMs);
  const daysLeft = bytesPerDay === null ? null : freeBytes / bytesPerDay;
  const evidence = `${mib(freeBytes)} free${rateText(bytesPerDay, daysLeft)}; a segment takes ${mib(segmentBytes)}.`;
  if (freeBytes < segmentBytes)
    return fault(
      'space',
      evidence,
      `${FULL_ADVICE} Appends are refused (507) when the present segment is full.`,
    );
  const isShort =
    freeBytes < SPARE_SEGMENTS_MIN * segmentBytes ||
    (daysLeft !== null && daysLeft < DAYS_LEFT_MIN);
  return isShort ? warning('space', evidence, FULL_ADVICE) : fine('space', evidence);
}

const FULL_ADVICE =
  'Free some space or enlarge the volume; appends go on by themselves when there is space. Never delete segments (*.seg).';

function rateText(bytesPerDay: number | null, daysLeft: number | null): string {
  if (bytesPerDay === null || daysLeft === null) return '';
  return `, ${daysLeft < 1000 ? `${daysLeft.toFixed(1)} days` : 'years'} at the present ${mib(bytesPerDay)} a day`;
}

/** Bytes a day over the newest sealed segments; null when they tell nothing yet. The newest segment is preallocated and left out. */
function growthPerDay(files: readonly InspectedFile[], nowMs: number): number | null {
  const sealed = files.slice(0, -1).slice(-RATE_SEGMENTS_MAX);
  const since = sealed[0]?.header?.createdAt;
  if (since === undefined) return null;
  const spanMs = nowMs - since / 1000;
  if (spanMs < RATE_SPAN_MS_MIN) return null;
  return (sealed.reduce((sum, { fileBytes }) => sum + fileBytes, 0) / spanMs) * DAY_MS;
}

function mib(bytes: number): string {
  const value = bytes / MIB;
  // A little too little must not read as enough.
  const digits = value < 100 ? 1 : 0;
  return `${value.toLocaleString('en-US', { maximumFractionDigits: digits })} MiB`;
}

/** Files that the running store, or one started from here, may have open. Known on Linux only. */
export function descriptorCheck(owner: LockOwner | null): InspectionCheck {
  const pid = owner?.pid ?? null;
  const limit = descriptorLimit(pid ?? 'self');
  if (limit === null)
    return fine('descriptors', 'The limit of open files is not known on this system.');
  const open = pid === null ? null : openDescriptors(pid);
  const whose = pid === null ? 'A process started from here' : `Process ${pid}`;
  const evidence = `${whose} may have ${limit} files open${open === null ? '' : ` and has ${open}`}.`;
  const isShort = limit < DESCRIPTORS_MIN || (open !== null && open > limit * DESCRIPTOR_SHARE_MAX);
  if (!isShort) return fine('descriptors', evidence);
  return warning(
    'descriptors',
    evidence,
    `Raise the limit (ulimit -n, LimitNOFILE) to more than ${LIMITS.liveConnectionsMax}: each connection is a file.`,
  );
}

function descriptorLimit(pid: number | 'self'): number | null {
  const line = readProc(`/proc/${pid}/limits`)?.match(/^Max open files +(\d+|unlimited)/m);
  if (line?.[1] === undefined) return null;
  return line[1] === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(line[1]);
}

function readProc(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Another system, or a process of another user.
    return null;
  }
}

function openDescriptors(pid: number): number | null {
  try {
    return readdirSync(`/proc/${pid}/fd`).length;
  } catch {
    return null;
  }
}
