/**
 * What an inspection of the log says: one JSON object a line, in this order: `start`, then `progress` and `finding` as they come, then `summary`; or `failure`
 * as the last line when the inspection could not go on. An examination of a folder consists of `check` lines. The program that inspects a folder prints these lines, core passes them on over HTTP, and
 * the command shows them to the operator. No line holds anything of an event but its position and version.
 */

/** Damage: something that was acknowledged cannot be read, or is not what it should be. A notice is worth knowing and no loss. */
export type FindingSeverity = 'damage' | 'notice';

export type FindingKind =
  /** Bytes of a segment in which no frame can be read. */
  | 'damaged_bytes'
  /** A segment's own header cannot be read or does not fit the log. */
  | 'damaged_header'
  /** Positions that no file holds. */
  | 'missing_positions'
  /** A whole frame that does not name the one before it, or that another frame should be. */
  | 'broken_chain'
  /** A whole frame whose events break a law of the log, such as versions without a gap. */
  | 'broken_law'
  /** What a crash left of an append that nobody was told of. The next start sets it aside. */
  | 'torn_tail'
  /** Bytes behind the end of a segment that should be zero. No event needs them. */
  | 'stray_bytes'
  /** The file that says how far the log was durable is missing or cannot be read. */
  | 'no_head_marker';

export interface InspectionStart {
  readonly record: 'start';
  readonly log_id: string | null;
  readonly segments: number;
  /** Bytes of all segment files. */
  readonly bytes: number;
  /** Where a node has the log open: the last position that is held to account. What follows it whole may be verified too (`head` of the summary). Null = all. */
  readonly up_to: number | null;
  /** Who has the folder open; null when nobody has. */
  readonly owner: FolderOwner | null;
}

export interface FolderOwner {
  readonly owner: string;
  readonly pid: number | null;
}

export interface InspectionProgress {
  readonly record: 'progress';
  readonly bytes: number;
  readonly bytes_total: number;
  readonly position: number;
  readonly events: number;
}

export interface InspectionFinding {
  readonly record: 'finding';
  readonly severity: FindingSeverity;
  readonly kind: FindingKind;
  /** File name of the segment; null where no file is concerned. */
  readonly segment: string | null;
  /** First byte concerned, and the byte behind the last; null where no bytes are. */
  readonly offset: number | null;
  readonly end_offset: number | null;
  /** The positions concerned; null where none are. `last_position` is null too where nothing tells. */
  readonly first_position: number | null;
  readonly last_position: number | null;
  readonly reason: string;
}

export interface InspectionSummary {
  readonly record: 'summary';
  readonly log_id: string | null;
  readonly segments: number;
  readonly bytes: number;
  readonly frames: number;
  readonly events: number;
  readonly entities: number;
  /** The last position of the log, damaged or not. */
  readonly head: number;
  /** When the newest event that could be read was recorded, RFC 3339; null when there is none. */
  readonly recorded_at: string | null;
  readonly damages: number;
  readonly notices: number;
  /** Positions that are intact, as ranges with both ends; the first {@link INTACT_RANGES_MAX} of `intact_range_count`. */
  readonly intact: readonly (readonly [number, number])[];
  readonly intact_range_count: number;
  readonly intact_events: number;
  readonly duration_ms: number;
}

export interface InspectionFailure {
  readonly record: 'failure';
  readonly code: 'not_found' | 'not_permitted' | 'failed';
  readonly message: string;
}

/** How one thing that was looked at stands. A warning will become a fault if nobody acts; a fault hinders the store; damage is data that cannot be read. */
export type CheckStatus = 'ok' | 'warning' | 'fault' | 'damage';

/** One thing that `allsource doctor` looked at. */
export interface InspectionCheck {
  readonly record: 'check';
  readonly check: string;
  readonly status: CheckStatus;
  /** What is the case, in a sentence, with the values it rests on. */
  readonly evidence: string;
  /** What to do; null when there is nothing to do. */
  readonly advice: string | null;
}

export type InspectionRecord =
  | InspectionStart
  | InspectionProgress
  | InspectionFinding
  | InspectionSummary
  | InspectionCheck
  | InspectionFailure;

/** Ranges that a summary lists. */
export const INTACT_RANGES_MAX = 1_000;

/** Where core serves an inspection of its own log. */
export const VERIFY_PATH = '/api/v1/operations/verify';
export const INSPECTION_CONTENT_TYPE = 'application/x-ndjson';

const RECORDS = new Set(['start', 'progress', 'finding', 'summary', 'check', 'failure']);

/** Reads a line; null for text that is no record. The writer is ours, so its members are taken at their word. */
export function parseInspectionRecord(line: string): InspectionRecord | null {
  try {
    const value = JSON.parse(line) as { readonly record?: unknown } | null;
    const isRecord = typeof value?.record === 'string' && RECORDS.has(value.record);
    return isRecord ? (value as InspectionRecord) : null;
  } catch {
    return null;
  }
}
