import type { Database } from 'better-sqlite3';

/** What is counted of a build since its first event. */
export interface BuildCounts {
  readonly processed: number;
  readonly errors: number;
  readonly skipped: number;
  /** Microseconds spent folding. */
  readonly foldingMicros: number;
  /** When the last folded event was recorded, in microseconds since the epoch. */
  readonly lastEventMicros: number | null;
  readonly savedMs: number | null;
  readonly lastError: string | null;
  readonly lastErrorMs: number | null;
}

/** Why a build folds nothing more, until its owner says so. */
export interface BuildFailure {
  readonly reason: string;
  readonly position: number;
  readonly eventId: string | null;
  /** The definition in force then: a later one tries again. */
  readonly changedPosition: number;
}

/** What a file says of itself. */
export interface BuildProgress {
  /** The last event that was folded or passed over. */
  readonly folded: number;
  /** The end of the last whole frame; at most `folded`. */
  readonly position: number;
  readonly logId: string | null;
  /** True when it has once reached the end of the log. */
  readonly isComplete: boolean;
  readonly hasSharedKeys: boolean;
  readonly shownRows: number;
  readonly counts: BuildCounts;
  readonly failure: BuildFailure | null;
  readonly parkedEntities: number;
  readonly parkedEvents: number;
}

export const NO_COUNTS: BuildCounts = {
  processed: 0,
  errors: 0,
  skipped: 0,
  foldingMicros: 0,
  lastEventMicros: null,
  savedMs: null,
  lastError: null,
  lastErrorMs: null,
};

export const NO_PROGRESS: BuildProgress = {
  folded: 0,
  position: 0,
  logId: null,
  isComplete: false,
  hasSharedKeys: false,
  shownRows: 0,
  counts: NO_COUNTS,
  failure: null,
  parkedEntities: 0,
  parkedEvents: 0,
};

interface ProgressRow {
  readonly folded: number;
  readonly position: number;
  readonly logId: string | null;
  readonly isComplete: number;
  readonly hasSharedKeys: number;
  readonly shownRows: number;
  readonly counts: string;
  readonly failure: string | null;
  readonly parkedEntities: number;
  readonly parkedEvents: number;
}

/** Reads what an open file says of itself. */
export function readBuildProgress(database: Database): BuildProgress {
  const row = database
    .prepare<[], ProgressRow>(
      `SELECT folded, position, log_id AS logId, is_complete AS isComplete, has_shared_keys AS hasSharedKeys,
        shown_rows AS shownRows, counts, failure, (SELECT count(*) FROM parked_entities) AS parkedEntities,
        (SELECT count(*) FROM parked_events) AS parkedEvents
       FROM progress`,
    )
    .get();
  if (row === undefined) return NO_PROGRESS;
  return {
    ...row,
    isComplete: row.isComplete === 1,
    hasSharedKeys: row.hasSharedKeys === 1,
    counts: { ...NO_COUNTS, ...(JSON.parse(row.counts) as Partial<BuildCounts>) },
    failure: row.failure === null ? null : (JSON.parse(row.failure) as BuildFailure),
  };
}
