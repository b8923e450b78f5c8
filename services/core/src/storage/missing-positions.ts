import { type Problem, problem } from '@allsource/shared/errors';
import type { Position } from '@allsource/shared/model';

/** Acknowledged positions that no file holds: a segment is missing, or the end of one was lost. */
export interface MissingPositions {
  /** The segment before the gap; null when the log's beginning is missing. */
  readonly before: string | null;
  /** The segment behind the gap; null when the log's end is missing. */
  readonly after: string | null;
  readonly firstPosition: Position;
  readonly lastPosition: Position;
}

/** The problem `log_damaged` of positions that are missing. */
export function missingPositionsProblem(gap: MissingPositions): Problem {
  const files = [
    ...(gap.before === null ? [] : [`end of segment ${gap.before}`]),
    ...(gap.after === null ? [] : [`before segment ${gap.after}`]),
  ];
  const place = files.length === 0 ? 'no segment is left' : files.join(' and ');
  return problem(
    'log_damaged',
    `Positions ${gap.firstPosition} to ${gap.lastPosition} of the log were acknowledged and are missing: ${place}. No event was changed; restore the missing files from a backup.`,
    {
      segment: gap.before ?? gap.after,
      first_position: gap.firstPosition,
      last_position: gap.lastPosition,
    },
  );
}
