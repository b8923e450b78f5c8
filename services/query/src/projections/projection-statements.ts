import type { Database, Statement } from 'better-sqlite3';
import type { StoredState } from './stored-state.ts';

/** The statements on the tables of the projections (projection-database.ts), prepared once for an open file. */
export interface Statements {
  readonly begin: Statement<[]>;
  readonly commit: Statement<[]>;
  readonly state: Statement<[number, string, number, string], StoredState>;
  readonly textBytes: Statement<[string], { readonly textBytes: number }>;
  readonly saveState: Statement<[number, string, number, string, string | null]>;
  readonly deleteState: Statement<[number, string, number, string]>;
  readonly addTextBytes: Statement<[string, number]>;
  readonly saveProgress: Statement<[string, number]>;
}

/** Prepares them. */
export function prepareStatements(database: Database): Statements {
  return {
    begin: database.prepare('BEGIN'),
    commit: database.prepare('COMMIT'),
    state: database.prepare(
      'SELECT key, state FROM states WHERE projection = ? AND tenant = ? AND generation = ? AND key = ?',
    ),
    textBytes: database.prepare('SELECT text_bytes AS textBytes FROM usage WHERE tenant = ?'),
    saveState: database.prepare(
      `INSERT INTO states (projection, tenant, generation, key, state) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET state = excluded.state`,
    ),
    deleteState: database.prepare(
      'DELETE FROM states WHERE projection = ? AND tenant = ? AND generation = ? AND key = ?',
    ),
    addTextBytes: database.prepare(
      `INSERT INTO usage (tenant, text_bytes) VALUES (?, ?)
       ON CONFLICT DO UPDATE SET text_bytes = text_bytes + excluded.text_bytes`,
    ),
    saveProgress: database.prepare('UPDATE progress SET log_id = ?, position = ?'),
  };
}
