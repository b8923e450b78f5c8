/**
 * The file in which one share of a replay is built, away from everything that is read. States and position move in one transaction, so a replay
 * goes on from it after the process was killed at any point. A file that is damaged, or was written for another log, is made anew and the replay
 * begins again from the first event.
 */
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import Database, { type Database as Connection, type Statement } from 'better-sqlite3';
import { isDamage } from '../projections/projection-database.ts';
import type { Projection } from '../projections/projection.ts';
import type { FoldedStates, FoldTarget } from './fold-target.ts';

const FORMAT = 1;
const CACHE_KIB = 64 * 1024;
/** How long is waited for a process before this one to end. */
const LOCK_WAIT_MS = 30_000;
const SUFFIXES = ['', '-wal', '-shm'];
const TABLES = `
  CREATE TABLE progress (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    log_id TEXT,
    position INTEGER NOT NULL,
    processed INTEGER NOT NULL
  );
  INSERT INTO progress VALUES (1, NULL, 0, 0);
  CREATE TABLE states (
    projection INTEGER NOT NULL,
    key TEXT NOT NULL,
    state TEXT,
    PRIMARY KEY (projection, key)
  ) WITHOUT ROWID;
  PRAGMA user_version = ${FORMAT};
`;

export interface ShadowRow {
  readonly projection: number;
  readonly key: string;
  readonly state: string | null;
}

interface Progress {
  readonly logId: string | null;
  readonly position: number;
  readonly processed: number;
}

export class ShadowFile implements FoldTarget {
  readonly keysMax = 131_072;
  readonly restMs = 0;
  readonly #database: Connection;
  readonly #state: Statement<[number, string], { readonly state: string | null }>;
  readonly #put: Statement<[number, string, string | null]>;
  readonly #page: Statement<[number, string, number], ShadowRow>;
  readonly #mark: Statement<[string, number, number]>;
  #progress: Progress;

  private constructor(database: Connection) {
    this.#database = database;
    // Nobody else opens it as long as this one is open: not the process that goes on with a replay whose last one has not ended yet.
    database.pragma('locking_mode = EXCLUSIVE');
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = NORMAL');
    database.pragma(`cache_size = -${CACHE_KIB}`);
    if (database.pragma('user_version', { simple: true }) !== FORMAT) {
      database.transaction(() => database.exec(TABLES))();
    }
    this.#state = database.prepare('SELECT state FROM states WHERE projection = ? AND key = ?');
    this.#put = database.prepare(
      `INSERT INTO states (projection, key, state) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET state = excluded.state`,
    );
    this.#page = database.prepare(
      `SELECT projection, key, state FROM states WHERE (projection, key) > (?, ?)
       ORDER BY projection, key LIMIT ?`,
    );
    this.#mark = database.prepare('UPDATE progress SET log_id = ?, position = ?, processed = ?');
    this.#progress = database
      .prepare<[], Progress>('SELECT log_id AS logId, position, processed FROM progress')
      .get() ?? { logId: null, position: 0, processed: 0 };
  }

  /** Opens the file, or makes it. */
  static open(path: string): ShadowFile {
    mkdirSync(dirname(path), { recursive: true });
    if (!existsSync(path)) return new ShadowFile(new Database(path, { timeout: LOCK_WAIT_MS }));
    let database: Connection | null = null;
    try {
      database = new Database(path, { timeout: LOCK_WAIT_MS });
      const check = database.pragma('quick_check(1)', { simple: true });
      if (check === 'ok') return new ShadowFile(database);
      database.close();
    } catch (error) {
      database?.close();
      if (!isDamage(error)) throw error;
    }
    removeShadow(path);
    return new ShadowFile(new Database(path, { timeout: LOCK_WAIT_MS }));
  }

  get position(): number {
    return this.#progress.position;
  }

  get processed(): number {
    return this.#progress.processed;
  }

  /** The log the states come from, as hex; null while there are none. */
  get logId(): string | null {
    return this.#progress.logId;
  }

  state(projection: Projection, key: string): { readonly state: string | null } | null {
    return this.#state.get(projection.number, key) ?? null;
  }

  /** Rows behind a key, in the order of projections and keys. */
  page(after: { readonly projection: number; readonly key: string }, limit: number): ShadowRow[] {
    return this.#page.all(after.projection, after.key, limit);
  }

  save({ position, processed, logId, states }: FoldedStates): void {
    const write = this.#database.transaction(() => {
      for (const { projection, key, state } of states) this.#put.run(projection.number, key, state);
      this.#mark.run(logId, position, processed);
    });
    write();
    this.#progress = { logId, position, processed };
  }

  close(): void {
    this.#database.close();
  }
}

/** Removes the file of a share and what belongs to it. */
export function removeShadow(path: string): void {
  for (const suffix of SUFFIXES) rmSync(path + suffix, { force: true });
}
