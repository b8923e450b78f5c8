/**
 * The states of the built-in projections in one SQLite file, with the position they are true at.
 *
 * Promise: states and position move in one transaction, so after any crash the file holds exactly the events up to the position it names,
 * each counted once. The one writer is the sink; reads see whole transactions. The file can be deleted at any time the service does
 * not run: it is filled again from the log. A file that is damaged, or was written by another format, is set aside and replaced.
 */
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

/** What a tenant has in the log. */
export interface TenantTotals {
  readonly events: number;
  readonly entities: number;
  /** Bytes of names, payloads and metadata. */
  readonly textBytes: number;
}

/** What one transaction changes. */
export interface ProjectionChange {
  readonly position: Position;
  readonly logId: string;
  readonly states: Iterable<
    StoredState & { readonly projection: Projection; readonly tenant: string }
  >;
  /** What is added to the totals of tenants. */
  readonly totals: ReadonlyMap<string, TenantTotals>;
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
const NO_TOTALS: TenantTotals = { events: 0, entities: 0, textBytes: 0 };

interface Statements {
  readonly state: Statement<[number, string, string], StoredState>;
  readonly page: Statement<[number, string, string, string, number, number], StoredState>;
  readonly count: Statement<[number, string, string, string], { readonly count: number }>;
  readonly totals: Statement<[string], TenantTotals>;
  readonly saveState: Statement<[number, string, string, string | null]>;
  readonly addTotals: Statement<[string, number, number, number]>;
  readonly saveProgress: Statement<[string, number]>;
}

export class ProjectionStore {
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

  /** Applies a change whole or not at all. Throws what SQLite says; a damaged file has then been replaced by an empty one. */
  commit(change: ProjectionChange): void {
    const { saveState, addTotals, saveProgress } = this.#statements;
    const run = this.#database.transaction(() => {
      for (const { projection, tenant, key, state } of change.states)
        saveState.run(projection.number, tenant, key, state);
      for (const [tenant, { events, entities, textBytes }] of change.totals)
        addTotals.run(tenant, events, entities, textBytes);
      saveProgress.run(change.logId, change.position);
    });
    this.#guarded(run);
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

  totals(tenant: string): TenantTotals {
    return this.#guarded(() => this.#statements.totals.get(tenant) ?? NO_TOTALS);
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
      if (isDamage(error)) {
        this.#options.onSetAside(String(error));
        this.#replaceFile();
      }
      throw error;
    }
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
    totals: database.prepare(
      'SELECT events, entities, text_bytes AS textBytes FROM totals WHERE tenant = ?',
    ),
    saveState: database.prepare(
      `INSERT INTO states (projection, tenant, key, state) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET state = excluded.state`,
    ),
    addTotals: database.prepare(
      `INSERT INTO totals (tenant, events, entities, text_bytes) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET events = events + excluded.events,
         entities = entities + excluded.entities, text_bytes = text_bytes + excluded.text_bytes`,
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
