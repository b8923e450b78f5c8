import { type Problem, problem } from '@allsource/shared/errors';
import type { Position } from '@allsource/shared/model';

/** A damaged place of the log, as far as it is known. */
export interface DamagedPlace {
  /** File name of the segment. */
  readonly segment: string;
  /** First damaged byte of the file. */
  readonly offset: number;
  /** The byte behind the damage. */
  readonly endOffset: number;
  /** The first position that cannot be read. */
  readonly firstPosition: Position;
  /** The last position that cannot be read; null when nothing tells. */
  readonly lastPosition: Position | null;
  readonly reason: string;
}

/**
 * The problem of a place that was acknowledged and cannot be read. It names the file, the bytes and the positions, because the way out is to
 * restore exactly that file.
 */
export function damageProblem(place: DamagedPlace, cause?: unknown): Problem {
  const positions =
    place.lastPosition === null
      ? `position ${place.firstPosition} and after`
      : `positions ${place.firstPosition} to ${place.lastPosition}`;
  return problem(
    'log_damaged',
    `Segment ${place.segment} is damaged in bytes ${place.offset} to ${place.endOffset} (${positions}): ${place.reason}. No event was changed; restore this file from a backup.`,
    {
      segment: place.segment,
      offset: place.offset,
      end_offset: place.endOffset,
      first_position: place.firstPosition,
      last_position: place.lastPosition,
      reason: place.reason,
    },
    cause,
  );
}

/** The problem of a file whose name or header does not fit the log. */
export function segmentProblem(segment: string, reason: string): Problem {
  return problem(
    'log_damaged',
    `Segment ${segment} does not fit the log: ${reason}. No event was changed; restore this file from a backup.`,
    { segment, reason },
  );
}

/** The problem of a segment that is there twice, of which neither file is whole. */
export function copiesProblem(raw: FaultyCopy, sealed: FaultyCopy): Problem {
  return problem(
    'log_damaged',
    `Segments ${raw.name} and ${sealed.name} are copies of each other, and neither is whole. The first: ${faultText(raw.fault)}. The second: ${faultText(sealed.fault)}. No event was changed; restore either file from a backup.`,
    { ...raw.fault.members, copy: sealed.fault.members },
  );
}

/** A file of a segment that is there twice, and the `log_damaged` that says what is wrong with it. */
export interface FaultyCopy {
  readonly name: string;
  readonly fault: Problem;
}

/** What a `log_damaged` problem says is wrong and where, without the file and the way out. */
export function faultText({ members, message }: Problem): string {
  const { offset, end_offset: end, first_position: first, last_position: last, reason } = members;
  const positions = `positions ${numberText(first)} to ${numberText(last)}`;
  if (typeof reason !== 'string')
    return typeof first === 'number' ? `${positions} are missing` : message;
  return typeof offset === 'number'
    ? `bytes ${offset} to ${numberText(end)} (${positions}): ${reason}`
    : reason;
}

function numberText(member: unknown): string {
  return typeof member === 'number' ? String(member) : 'the end';
}
