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
    `Segment ${place.segment} is damaged in bytes ${place.offset} to ${place.endOffset} (${positions}): ${place.reason}. Nothing was changed; restore this file from a backup.`,
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
    `Segment ${segment} does not fit the log: ${reason}. Nothing was changed; restore this file from a backup.`,
    { segment, reason },
  );
}

/** The problem of positions that no file holds: a segment is missing, or the end of one was lost. */
export function missingPositionsProblem(gap: {
  /** The segment before the gap; null when the log's beginning is missing. */
  readonly before: string | null;
  /** The segment behind the gap; null when the log's end is missing. */
  readonly after: string | null;
  readonly firstPosition: Position;
  readonly lastPosition: Position;
}): Problem {
  const files = [
    ...(gap.before === null ? [] : [`end of segment ${gap.before}`]),
    ...(gap.after === null ? [] : [`before segment ${gap.after}`]),
  ];
  const place = files.length === 0 ? 'no segment is left' : files.join(' and ');
  return problem(
    'log_damaged',
    `Positions ${gap.firstPosition} to ${gap.lastPosition} of the log were acknowledged and are missing: ${place}. Nothing was changed; restore the missing files from a backup.`,
    {
      segment: gap.before ?? gap.after,
      first_position: gap.firstPosition,
      last_position: gap.lastPosition,
    },
  );
}
