/**
 * Reads what pipelines have come to out of their files, beside the process that writes them. Each answer is one look at a file, so what it says is true at one position.
 * Files are opened when they are asked for; those that were not asked for longest are closed again.
 */
import type { Database as Connection } from 'better-sqlite3';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { isBusy, isDamage } from '../projections/projection-database.ts';
import { openForReading } from './run/pipeline-database.ts';
import { type OutputId, type PipelineProgress, readProgress } from './run/pipeline-file.ts';

const OPEN_MAX = 64;
const LAST_CHARACTER = '\u{10ffff}';

/** A row of a table. `value` is JSON text; null: it has gone. */
export interface ResultRow {
  readonly key: string;
  readonly value: string | null;
  /** The position of the event that last changed it. */
  readonly position: number;
  /** When that event was accepted, in microseconds. */
  readonly updatedAt: number;
}

export interface DeadLetter extends OutputId {
  readonly kind: 'emit' | 'webhook';
  readonly route: string;
  /** JSON text. */
  readonly body: string;
  readonly attempts: number;
  readonly error: string | null;
}

export interface FailedEvent {
  readonly position: number;
  readonly eventId: string;
  readonly reason: string;
}

export interface RowsWish {
  /** Rows whose key begins so. */
  readonly prefix: string;
  /** Rows behind this key; null: from the first on. */
  readonly after: string | null;
  readonly limit: number;
}

/** A place in the order of changes: the position of a change, and the key among those of the same position. */
export interface ChangeMark {
  readonly position: number;
  readonly key: string;
}

const ROW = 'key, value, position, updated_at AS updatedAt';

export class PipelineResults {
  /** The one that was asked for last is the last. */
  readonly #open = new Map<string, Connection>();

  /** What a pipeline has counted; null while it has no file. */
  progress(file: string): PipelineProgress | null {
    return this.#read(file, readProgress);
  }

  /** The row under a key; null when there is none. */
  row(file: string, key: string): ResultRow | null {
    return this.#read(file, (database) => {
      const one = database.prepare<[string], ResultRow>(
        `SELECT ${ROW} FROM results WHERE key = ? AND value IS NOT NULL`,
      );
      return one.get(key) ?? null;
    });
  }

  /** Rows in the order of their keys. */
  rows(file: string, { prefix, after, limit }: RowsWish): ResultRow[] {
    const found = this.#read(file, (database) => {
      const page = database.prepare<[string, string, string, number], ResultRow>(
        `SELECT ${ROW} FROM results WHERE key >= ? AND key > ? AND key < ? AND value IS NOT NULL
         ORDER BY key LIMIT ?`,
      );
      return upToBytes(page.iterate(prefix, after ?? '', prefix + LAST_CHARACTER, limit));
    });
    return found ?? [];
  }

  /** Rows that have changed behind a mark, gone ones too, in the order of their changes. */
  changes(file: string, since: ChangeMark, limit: number): ResultRow[] {
    const found = this.#read(file, (database) => {
      const page = database.prepare<[number, string, number], ResultRow>(
        `SELECT ${ROW} FROM results WHERE (position, key) > (?, ?) ORDER BY position, key LIMIT ?`,
      );
      return upToBytes(page.iterate(since.position, since.key, limit));
    });
    return found ?? [];
  }

  /** Outputs that could not be written or delivered. */
  deadLetters(
    file: string,
    window: { readonly offset: number; readonly limit: number },
  ): DeadLetter[] {
    const found = this.#read(file, (database) =>
      database
        .prepare<[number, number], DeadLetter>(
          `SELECT position, ordinal, kind, route, body, attempts, error FROM outbox WHERE status = 'dead'
           ORDER BY position, ordinal LIMIT ? OFFSET ?`,
        )
        .all(window.limit, window.offset),
    );
    return found ?? [];
  }

  /** How many outputs wait, and how many are dead letters. */
  outboxCounts(file: string): { readonly pending: number; readonly dead: number } {
    const counts = this.#read(file, (database) => {
      const count = database.prepare<[string], { readonly count: number }>(
        `SELECT count(*) AS count FROM outbox WHERE kind IN ('emit', 'webhook') AND status = ?`,
      );
      const pending = count.get('pending')?.count ?? 0;
      return { pending, dead: count.get('dead')?.count ?? 0 };
    });
    return counts ?? { pending: 0, dead: 0 };
  }

  /** The newest events that could not be worked with. */
  failedEvents(file: string, limit: number): FailedEvent[] {
    const found = this.#read(file, (database) =>
      database
        .prepare<[number], FailedEvent>(
          'SELECT position, event_id AS eventId, reason FROM faults ORDER BY position DESC LIMIT ?',
        )
        .all(limit),
    );
    return found ?? [];
  }

  /** Lets go of a file that is about to be removed. */
  forget(file: string): void {
    this.#open.get(file)?.close();
    this.#open.delete(file);
  }

  close(): void {
    for (const file of this.#open.keys()) this.forget(file);
  }

  #read<T>(file: string, read: (database: Connection) => T): T | null {
    try {
      const database = this.#opened(file);
      return database === null ? null : database.transaction(() => read(database))();
    } catch (error) {
      if (!isBusy(error) && !isDamage(error)) throw error;
      this.forget(file);
      const reason = error instanceof Error ? error.message : String(error);
      throw problem(
        'read_behind',
        `The file of the pipeline cannot be read at the moment (${reason}). Try again shortly.`,
      );
    }
  }

  #opened(file: string): Connection | null {
    const database = this.#open.get(file) ?? openForReading(file);
    if (database === null) return null;
    this.#open.delete(file);
    this.#open.set(file, database);
    const [oldest] = this.#open.keys();
    if (this.#open.size > OPEN_MAX && oldest !== undefined) this.forget(oldest);
    return database;
  }
}

/** Rows until they have so many characters that the next ones belong on the next page. */
function upToBytes(rows: Iterable<ResultRow>): ResultRow[] {
  const taken: ResultRow[] = [];
  let length = 0;
  for (const row of rows) {
    taken.push(row);
    length += row.value?.length ?? 0;
    if (length >= LIMITS.pipelineResultsLengthMax) break;
  }
  return taken;
}
