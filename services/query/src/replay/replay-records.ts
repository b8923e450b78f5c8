/**
 * The records of all replays in a SQLite file of their own, so that a replay that was under way when the process ended goes on, and people see what has become of
 * those of the past. The log does not hold them: when the file is deleted or damaged they are gone, and nothing else is.
 */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import Database, { type Database as Connection, type Statement } from 'better-sqlite3';
import { LIMITS } from '@allsource/shared/limits';
import type { ReplayRecord } from './replay-record.ts';

const FORMAT = 1;
const TABLE = `
  CREATE TABLE replays (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    tenant TEXT NOT NULL,
    is_ended INTEGER NOT NULL,
    record TEXT NOT NULL
  );
  CREATE INDEX replays_of_tenant ON replays (tenant, number);
  PRAGMA user_version = ${FORMAT};
`;

interface Row {
  readonly record: string;
}

export interface ReplayRecordsOptions {
  readonly file: string;
  /** Told when the file cannot be used and a new one is made. */
  readonly onSetAside: (reason: string) => void;
}

export class ReplayRecords<R extends ReplayRecord = ReplayRecord> {
  readonly #database: Connection;
  readonly #put: Statement<[string, string, number, string]>;
  readonly #one: Statement<[string, string], Row>;
  readonly #ofTenant: Statement<[string], Row>;
  readonly #open: Statement<[], Row>;
  readonly #delete: Statement<[string, string]>;
  readonly #trim: Statement<[string, string, number]>;

  constructor(options: ReplayRecordsOptions) {
    const database = openFile(options);
    this.#database = database;
    this.#put = database.prepare(
      `INSERT INTO replays (id, tenant, is_ended, record) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET is_ended = excluded.is_ended, record = excluded.record`,
    );
    this.#one = database.prepare('SELECT record FROM replays WHERE tenant = ? AND id = ?');
    this.#ofTenant = database.prepare(
      'SELECT record FROM replays WHERE tenant = ? ORDER BY number DESC',
    );
    this.#open = database.prepare('SELECT record FROM replays WHERE is_ended = 0 ORDER BY number');
    this.#delete = database.prepare('DELETE FROM replays WHERE tenant = ? AND id = ?');
    this.#trim = database.prepare(
      `DELETE FROM replays WHERE tenant = ? AND is_ended = 1 AND number NOT IN (
         SELECT number FROM replays WHERE tenant = ? ORDER BY number DESC LIMIT ?)`,
    );
  }

  /** Keeps a record, in place of the one with the same id. The oldest of the tenant that have ended make room. */
  put(record: R, isEnded: boolean): void {
    const { tenant } = record.request;
    this.#put.run(record.id, tenant, isEnded ? 1 : 0, JSON.stringify(record));
    if (isEnded) this.#trim.run(tenant, tenant, LIMITS.replayRecordsMax);
  }

  one(tenant: string, id: string): R | null {
    const row = this.#one.get(tenant, id);
    return row === undefined ? null : this.#parsed(row);
  }

  /** The newest first. */
  ofTenant(tenant: string): R[] {
    return this.#ofTenant.all(tenant).map((row) => this.#parsed(row));
  }

  /** Those that have not ended, of all tenants, the oldest first. */
  open(): R[] {
    return this.#open.all().map((row) => this.#parsed(row));
  }

  delete(tenant: string, id: string): void {
    this.#delete.run(tenant, id);
  }

  close(): void {
    this.#database.close();
  }

  #parsed({ record }: Row): R {
    return JSON.parse(record) as R;
  }
}

function openFile({ file, onSetAside }: ReplayRecordsOptions): Connection {
  mkdirSync(dirname(file), { recursive: true });
  if (existsSync(file)) {
    try {
      return prepared(new Database(file));
    } catch (error) {
      onSetAside(String(error));
      renameSync(file, `${file}.set-aside`);
      for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true });
    }
  }
  return prepared(new Database(file));
}

function prepared(database: Connection): Connection {
  try {
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = NORMAL');
    const format = database.pragma('user_version', { simple: true });
    if (format === 0) database.transaction(() => database.exec(TABLE))();
    // Reads the file once: what is damaged is found here and not in the middle of the work.
    database.prepare('SELECT count(record) FROM replays').get();
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
