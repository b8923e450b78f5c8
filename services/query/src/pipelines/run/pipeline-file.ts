/**
 * The file of one generation of a pipeline. One connection writes it, that of the pipeline's process. The promise: the position, what the operators remember, the
 * rows of the table and what is to be sent move in one transaction, so after a kill at any point the pipeline goes on from where all of them agree. The service
 * reads from the same file beside it (pipeline-results.ts).
 */
import type { Database as Connection, Statement } from 'better-sqlite3';
import { LIMITS } from '@allsource/shared/limits';
import type { ChangedEntry, StateStore, StoredEntry } from '../operators/operator-states.ts';
import { openPipelineDatabase } from './pipeline-database.ts';

/** What a pipeline has counted. */
export interface PipelineCounts {
  readonly processed: number;
  readonly filtered: number;
  readonly failed: number;
  readonly late: number;
  /** Events that had come through too many pipelines. They are among those that failed. */
  readonly cut: number;
  readonly outputs: number;
}

export interface PipelineProgress extends PipelineCounts {
  readonly logId: string | null;
  readonly position: number;
  readonly emitted: number;
  readonly delivered: number;
  /** When the last event was worked on, in microseconds. */
  readonly lastProcessed: number | null;
  readonly rowCount: number;
}

/** Names an output for good: the input event and the number of the output among those of that event. */
export interface OutputId {
  readonly position: number;
  readonly ordinal: number;
}

export interface OutboxEntry extends OutputId {
  readonly kind: 'emit' | 'webhook';
  readonly route: string;
  readonly body: string;
}

/** A row to put into the table; null: it goes. */
export interface ResultChange {
  readonly key: string;
  readonly value: string | null;
  readonly position: number;
  readonly updatedAt: number;
}

export interface EventFault {
  readonly position: number;
  readonly eventId: string;
  readonly reason: string;
}

/** Everything that a stretch of the log has changed. */
export interface Stretch {
  readonly logId: string;
  readonly position: number;
  readonly counts: PipelineCounts;
  readonly lastProcessed: number | null;
  readonly states: readonly ChangedEntry[];
  readonly results: readonly ResultChange[];
  readonly outbox: readonly OutboxEntry[];
  readonly faults: readonly EventFault[];
}

interface StoredState {
  readonly key: string;
  readonly value: string;
  readonly due: number | null;
}

const PROGRESS = `SELECT log_id AS logId, position, processed, filtered, failed, late, cut, outputs,
  emitted, delivered, last_processed AS lastProcessed, row_count AS rowCount FROM progress`;
const CLEARED = `
  DELETE FROM states; DELETE FROM results; DELETE FROM outbox; DELETE FROM written; DELETE FROM faults;
  UPDATE progress SET log_id = NULL, position = 0, processed = 0, filtered = 0, failed = 0, late = 0, cut = 0,
    outputs = 0, emitted = 0, delivered = 0, last_processed = NULL, row_count = 0;
`;

export class PipelineFile implements StateStore {
  readonly database: Connection;
  readonly #state: Statement<[number, string], StoredState>;
  readonly #due: Statement<[number, number], StoredState>;
  readonly #nextDue: Statement<[number, number], { readonly due: number | null }>;
  readonly #countStates: Statement<[number], { readonly count: number }>;
  readonly #hasResult: Statement<[string], { readonly one: 1 }>;
  readonly #advance: Statement<[number, string]>;
  readonly #save: (stretch: Stretch) => void;
  #progress: PipelineProgress;

  private constructor(database: Connection) {
    this.database = database;
    this.#state = database.prepare(
      'SELECT key, value, due FROM states WHERE operator = ? AND key = ?',
    );
    this.#due = database.prepare(
      'SELECT key, value, due FROM states WHERE operator = ? AND due <= ?',
    );
    this.#nextDue = database.prepare(
      'SELECT min(due) AS due FROM states WHERE operator = ? AND due > ?',
    );
    this.#countStates = database.prepare('SELECT count(*) AS count FROM states WHERE operator = ?');
    this.#hasResult = database.prepare(
      'SELECT 1 AS one FROM results WHERE key = ? AND value IS NOT NULL',
    );
    this.#advance = database.prepare('UPDATE progress SET position = ?, log_id = ?');
    this.#save = saving(database);
    this.#progress = readProgress(database);
  }

  /** Opens the file, or makes it for a pipeline that begins behind `startAfter`. */
  static open(path: string, startAfter: number): PipelineFile {
    return new PipelineFile(openPipelineDatabase(path, startAfter));
  }

  get progress(): PipelineProgress {
    return this.#progress;
  }

  get(operator: number, key: string): StoredEntry | null {
    const found = this.#state.get(operator, key);
    return found === undefined ? null : entryOf(found);
  }

  due(operator: number, upTo: number): StoredEntry[] {
    return this.#due.all(operator, upTo).map(entryOf);
  }

  nextDue(operator: number, after: number): number {
    const bound = Math.max(after, Number.MIN_SAFE_INTEGER);
    return this.#nextDue.get(operator, bound)?.due ?? Number.POSITIVE_INFINITY;
  }

  count(operator: number): number {
    return this.#countStates.get(operator)?.count ?? 0;
  }

  /** True when the table has a row under a key. */
  hasResult(key: string): boolean {
    return this.#hasResult.get(key) !== undefined;
  }

  /** Says that the log holds nothing more for this pipeline up to a position. Without it a restart reads the same stretch again. */
  advance(position: number, logId: string): void {
    this.#advance.run(position, logId);
    this.refresh();
  }

  /** Forgets everything that came of the log: another one is read from its first event. */
  clear(): void {
    this.database.transaction(() => this.database.exec(CLEARED)).immediate();
    this.refresh();
  }

  /** Saves a stretch, all or nothing. */
  save(stretch: Stretch): void {
    this.#save(stretch);
    this.refresh();
  }

  /** Takes what the file says of the progress, after somebody else has written to it. */
  refresh(): void {
    this.#progress = readProgress(this.database);
  }

  close(): void {
    this.database.close();
  }
}

/** The progress that a file holds. */
export function readProgress(database: Connection): PipelineProgress {
  return database.prepare<[], PipelineProgress>(PROGRESS).get() as PipelineProgress;
}

function entryOf({ key, value, due }: StoredState): StoredEntry {
  return { key, value: JSON.parse(value) as unknown, due };
}

function saving(database: Connection): (stretch: Stretch) => void {
  const putState = database.prepare<[number, string, string, number | null]>(
    `INSERT INTO states VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET value = excluded.value, due = excluded.due`,
  );
  const dropState = database.prepare<[number, string]>(
    'DELETE FROM states WHERE operator = ? AND key = ?',
  );
  const putOutbox = database.prepare<[number, number, string, string, string]>(
    `INSERT INTO outbox VALUES (?, ?, ?, ?, ?, NULL, 'pending', 0, 0, NULL)`,
  );
  const takeWritten = database.prepare<[number, number]>(
    'DELETE FROM written WHERE position = ? AND ordinal = ?',
  );
  const saveResults = savingResults(database);
  const saveFaults = savingFaults(database);
  const mark = database.prepare<
    [string, number, number, number, number, number, number, number, number | null, number]
  >(
    `UPDATE progress SET log_id = ?, position = ?, processed = processed + ?, filtered = filtered + ?,
     failed = failed + ?, late = late + ?, cut = cut + ?, outputs = outputs + ?,
     last_processed = coalesce(?, last_processed), row_count = row_count + ?`,
  );
  const save = database.transaction((stretch: Stretch) => {
    for (const { operator, key, entry } of stretch.states) {
      if (entry === null) dropState.run(operator, key);
      else putState.run(operator, key, JSON.stringify(entry.value), entry.due);
    }
    for (const { position, ordinal, kind, route, body } of stretch.outbox) {
      // What the log holds already is not written again.
      if (kind === 'emit' && takeWritten.run(position, ordinal).changes > 0) continue;
      putOutbox.run(position, ordinal, kind, route, body);
    }
    const added = saveResults(stretch.results);
    saveFaults(stretch.faults);
    const { processed, filtered, failed, late, cut, outputs } = stretch.counts;
    const { logId, position, lastProcessed } = stretch;
    mark.run(
      logId,
      position,
      processed,
      filtered,
      failed,
      late,
      cut,
      outputs,
      lastProcessed,
      added,
    );
  });
  return (stretch) => save.immediate(stretch);
}

/** Puts rows into the table; returns by how many it has grown. */
function savingResults(database: Connection): (results: readonly ResultChange[]) => number {
  const before = database.prepare<[string], { readonly value: string | null }>(
    'SELECT value FROM results WHERE key = ?',
  );
  const put = database.prepare<[string, string | null, number, number]>(
    `INSERT INTO results VALUES (?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET value = excluded.value, position = excluded.position, updated_at = excluded.updated_at`,
  );
  return (results) => {
    let grown = 0;
    for (const { key, value, position, updatedAt } of results) {
      const old = before.get(key);
      if (old === undefined && value === null) continue;
      const wasThere = old !== undefined && old.value !== null;
      grown += Number(value !== null) - Number(wasThere);
      put.run(key, value, position, updatedAt);
    }
    return grown;
  };
}

function savingFaults(database: Connection): (faults: readonly EventFault[]) => void {
  const put = database.prepare<[number, string, string]>(
    'INSERT INTO faults VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET reason = excluded.reason',
  );
  const trim = database.prepare<[number]>(
    `DELETE FROM faults WHERE position <=
     (SELECT position FROM faults ORDER BY position DESC LIMIT 1 OFFSET ?)`,
  );
  return (faults) => {
    for (const { position, eventId, reason } of faults) put.run(position, eventId, reason);
    if (faults.length > 0) trim.run(LIMITS.pipelineFaultsMax);
  };
}
