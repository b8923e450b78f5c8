/**
 * The states of the built-in projections in one SQLite file, with the position they are true at.
 *
 * Promise: states and position move in one transaction, so after any crash the file holds exactly the events up to the position it names,
 * each counted once. The one writer is {@link ProjectionFolds}, which holds what is newer in memory. The file can be deleted at any time
 * the service does not run: it is filled again from the log. A file that is damaged, or was written by another format, is set aside and
 * replaced by an empty one, and the error is thrown on.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Database, Statement } from 'better-sqlite3';
import { type Position, position } from '@allsource/shared/model';
import { must } from '@allsource/shared/lang';
import { isDamage, openProjectionDatabase, setAsideDatabase } from './projection-database.ts';
import type { Projection } from './projection.ts';

/** The state of one key; `state` is null when it has passed its limit. */
export interface StoredState {
  readonly key: string;
  readonly state: string | null;
}

/** What one transaction changes. */
export interface ProjectionChange {
  readonly position: Position;
  readonly logId: string;
  /** In any order; the order of keys is the quickest. */
  readonly states: Iterable<KeyedState>;
  /** Bytes of text added, by tenant. */
  readonly textBytes: ReadonlyMap<string, number>;
}

export interface KeyedState extends StoredState {
  readonly projection: Projection;
  readonly tenant: string;
}

export interface StatePage {
  readonly projection: Projection;
  readonly tenant: string;
  readonly keyPrefix: string;
  readonly limit: number;
  readonly offset: number;
}

export interface ProjectionStoreOptions {
  readonly file: string;
  readonly nowMs: () => number;
  /** Told when a file is set aside, with the reason. */
  readonly onSetAside: (reason: string) => void;
}

// An entity id has at most 128 bytes, so no key with a prefix sorts behind the prefix followed by this.
const BEHIND_ALL = '\u{10ffff}'.repeat(33);
// Some milliseconds of writing between two turns of the event loop.
const ROWS_A_TURN = 500;

interface Statements {
  readonly state: Statement<[number, string, string], StoredState>;
  readonly page: Statement<[number, string, string, string, number, number], StoredState>;
  readonly count: Statement<[number, string, string, string], { readonly count: number }>;
  readonly textBytes: Statement<[string], { readonly textBytes: number }>;
  readonly saveState: Statement<[number, string, string, string | null]>;
  readonly addTextBytes: Statement<[string, number]>;
  readonly saveProgress: Statement<[string, number]>;
}

export class ProjectionStore {
  /** Called when the file was replaced by an empty one. */
  onReplaced: () => void = () => {};
  readonly #options: ProjectionStoreOptions;
  #database: Database;
  #statements: Statements;
  #position: Position;
  #logId: string | null;
  #createdMs: number;

  constructor(options: ProjectionStoreOptions) {
    this.#options = options;
    const opened = openProjectionDatabase(options.file, options.nowMs());
    if (opened.setAside !== null) options.onSetAside(opened.setAside);
    this.#database = opened.database;
    this.#statements = prepareStatements(opened.database);
    const progress = readProgress(opened.database);
    this.#position = position(progress.position);
    this.#logId = progress.logId;
    this.#createdMs = progress.createdMs;
  }

  get position(): Position {
    return this.#position;
  }

  /** The log the states come from, as hex; null while there are none. */
  get logId(): string | null {
    return this.#logId;
  }

  /** When the file was made, in milliseconds since the epoch. */
  get createdMs(): number {
    return this.#createdMs;
  }

  /**
   * Applies a change whole or not at all; one call at a time. The event loop turns while it writes, and what is read meanwhile may be older or newer,
   * so the caller answers from memory for the keys it saves. Throws what SQLite says.
   */
  async save(change: ProjectionChange): Promise<void> {
    const { saveState, addTextBytes, saveProgress } = this.#statements;
    const database = this.#database;
    await this.#guardedAsync(async () => {
      database.exec('BEGIN IMMEDIATE');
      try {
        let rows = 0;
        for (const { projection, tenant, key, state } of change.states) {
          saveState.run(projection.number, tenant, key, state);
          if (++rows % ROWS_A_TURN === 0) await nextTurn();
        }
        for (const [tenant, bytes] of change.textBytes) addTextBytes.run(tenant, bytes);
        saveProgress.run(change.logId, change.position);
        database.exec('COMMIT');
      } catch (error) {
        if (database.open && database.inTransaction) database.exec('ROLLBACK');
        throw error;
      }
    });
    this.#position = change.position;
    this.#logId = change.logId;
  }

  /** The state of a key, or null when there is none. */
  state(projection: Projection, tenant: string, key: string): StoredState | null {
    return this.#guarded(() => this.#statements.state.get(projection.number, tenant, key) ?? null);
  }

  /** States in the order of their keys. */
  page({ projection, tenant, keyPrefix, limit, offset }: StatePage): StoredState[] {
    const { page } = this.#statements;
    const end = keyPrefix + BEHIND_ALL;
    return this.#guarded(() => page.all(projection.number, tenant, keyPrefix, end, limit, offset));
  }

  /** The number of keys that begin with a prefix. */
  count(projection: Projection, tenant: string, keyPrefix: string): number {
    const { count } = this.#statements;
    const end = keyPrefix + BEHIND_ALL;
    return this.#guarded(() => count.get(projection.number, tenant, keyPrefix, end)?.count ?? 0);
  }

  /** Bytes of names, payloads and metadata of a tenant's events. */
  textBytes(tenant: string): number {
    return this.#guarded(() => this.#statements.textBytes.get(tenant)?.textBytes ?? 0);
  }

  /** Empties the store. */
  reset(): void {
    this.#replaceFile();
  }

  close(): void {
    this.#database.close();
  }

  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      this.#replaceIfDamaged(error);
      throw error;
    }
  }

  async #guardedAsync(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#replaceIfDamaged(error);
      throw error;
    }
  }

  #replaceIfDamaged(error: unknown): void {
    if (!isDamage(error)) return;
    this.#options.onSetAside(String(error));
    this.#replaceFile();
  }

  #replaceFile(): void {
    this.#database.close();
    setAsideDatabase(this.#options.file);
    const nowMs = this.#options.nowMs();
    this.#database = openProjectionDatabase(this.#options.file, nowMs).database;
    this.#statements = prepareStatements(this.#database);
    this.#position = position(0);
    this.#logId = null;
    this.#createdMs = nowMs;
    this.onReplaced();
  }
}

function prepareStatements(database: Database): Statements {
  return {
    state: database.prepare(
      'SELECT key, state FROM states WHERE projection = ? AND tenant = ? AND key = ?',
    ),
    page: database.prepare(
      `SELECT key, state FROM states WHERE projection = ? AND tenant = ? AND key >= ? AND key <= ?
       ORDER BY key LIMIT ? OFFSET ?`,
    ),
    count: database.prepare(
      `SELECT count(*) AS count FROM states WHERE projection = ? AND tenant = ? AND key >= ? AND key <= ?`,
    ),
    textBytes: database.prepare('SELECT text_bytes AS textBytes FROM usage WHERE tenant = ?'),
    saveState: database.prepare(
      `INSERT INTO states (projection, tenant, key, state) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET state = excluded.state`,
    ),
    addTextBytes: database.prepare(
      `INSERT INTO usage (tenant, text_bytes) VALUES (?, ?)
       ON CONFLICT DO UPDATE SET text_bytes = text_bytes + excluded.text_bytes`,
    ),
    saveProgress: database.prepare('UPDATE progress SET log_id = ?, position = ?'),
  };
}

interface Progress {
  readonly logId: string | null;
  readonly position: number;
  readonly createdMs: number;
}

function readProgress(database: Database): Progress {
  const read = database.prepare<[], Progress>(
    'SELECT log_id AS logId, position, created_ms AS createdMs FROM progress',
  );
  return must(read.get(), 'a database that was opened has its progress');
}
