import { Problem } from '@allsource/shared/errors';
import { type Micros, type Position, position } from '@allsource/shared/model';

export interface RecordedTimes {
  readonly appliedPosition: Position;
  /** When the first event behind a position was recorded; null while there is none. */
  recordedAfter(after: Position): Micros | null;
}

/**
 * How long ago the first event was recorded that lies behind a position, in milliseconds; 0 where only the store's own events do. Null where that cannot be told: the
 * history is not further itself, or a block of it is being mended.
 */
export function timeBehindMs(history: RecordedTimes, at: number, nowMs: number): number | null {
  if (history.appliedPosition <= at) return null;
  try {
    const recordedAt = history.recordedAfter(position(at));
    return recordedAt === null ? 0 : Math.max(0, nowMs - recordedAt / 1_000);
  } catch (error) {
    // The history tells its own damage.
    if (error instanceof Problem) return null;
    throw error;
  }
}
