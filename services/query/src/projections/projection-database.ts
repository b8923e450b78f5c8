import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';

/** Names the tables below and what the projections compute. A file with another number is set aside and filled again. */
const FORMAT = 2;
const CACHE_KIB = 64 * 1024;

const TABLES = `
  CREATE TABLE progress (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    log_id TEXT,
    position INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
  );
  CREATE TABLE states (
    projection INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    generation INTEGER NOT NULL,
    key TEXT NOT NULL,
    state TEXT,
    PRIMARY KEY (projection, tenant, generation, key)
  ) WITHOUT ROWID;
  -- The generations that are not simply the first one (0), which is live where nothing else is.
  CREATE TABLE generations (
    projection INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    generation INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('building', 'live', 'dropped')),
    PRIMARY KEY (projection, tenant, generation)
  ) WITHOUT ROWID;
  -- How far each share of a generation that is being built has come.
  CREATE TABLE checkpoints (
    generation INTEGER NOT NULL,
    share INTEGER NOT NULL,
    position INTEGER NOT NULL,
    processed INTEGER NOT NULL,
    PRIMARY KEY (generation, share)
  ) WITHOUT ROWID;
  CREATE TABLE usage (
    tenant TEXT PRIMARY KEY,
    text_bytes INTEGER NOT NULL
  ) WITHOUT ROWID;
`;

/** An open database, and why the file that was there before is not used, if so. */
export interface OpenedDatabase {
  readonly database: Database.Database;
  readonly setAside: string | null;
}

/**
 * Opens the database file of the projections, or makes it. A file that is no database, is damaged, or has another format is renamed
 * to `<file>.set-aside` and a new one is made: everything in it can be computed again from the log.
 */
export function openProjectionDatabase(file: string, nowMs: number): OpenedDatabase {
  mkdirSync(dirname(file), { recursive: true });
  const fault = existsSync(file) ? fileFault(file) : null;
  if (fault !== null) setAsideDatabase(file);
  // Another connection may be writing: this one never waits for it inside of a call, because the event loop would stand still.
  const database = connectToProjections(file, 0);
  if (database.pragma('user_version', { simple: true }) !== FORMAT) makeTables(database, nowMs);
  return { database, setAside: fault };
}

/** Opens a connection that waits for others that write so long, at most. */
export function connectToProjections(file: string, busyWaitMs: number): Database.Database {
  const database = new Database(file, { timeout: busyWaitMs });
  // In WAL mode NORMAL can lose the last transactions in a power cut, never half of one; the log gives them again.
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.pragma(`cache_size = -${CACHE_KIB}`);
  return database;
}

function makeTables(database: Database.Database, nowMs: number): void {
  const make = database.transaction(() => {
    database.exec(TABLES);
    database.prepare('INSERT INTO progress VALUES (1, NULL, 0, ?)').run(nowMs);
    database.pragma(`user_version = ${FORMAT}`);
  });
  make();
}

function fileFault(file: string): string | null {
  let database: Database.Database | null = null;
  try {
    database = new Database(file);
    const format = database.pragma('user_version', { simple: true });
    if (format !== FORMAT) return `its format is ${String(format)}, this program writes ${FORMAT}`;
    const progress = database.prepare('SELECT position FROM progress').get();
    return progress === undefined ? 'it does not say its position' : null;
  } catch (error) {
    if (sqliteCode(error) !== null) return String(error);
    throw error;
  } finally {
    database?.close();
  }
}

/** Moves a database file out of the way. One that was set aside before is replaced. */
export function setAsideDatabase(file: string): void {
  renameSync(file, `${file}.set-aside`);
  for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true });
}

/** True for an error that says that the file itself is damaged. */
export function isDamage(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB)/.test(sqliteCode(error) ?? '');
}

/** True for an error that says that another connection is writing. */
export function isBusy(error: unknown): boolean {
  return sqliteCode(error)?.startsWith('SQLITE_BUSY') === true;
}

// By its code and not by its class: the native part is loaded once and keeps the class that it met first.
/** The code of an error of SQLite; null for any other error. */
export function sqliteCode(error: unknown): string | null {
  const code: unknown =
    typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
  return typeof code === 'string' && code.startsWith('SQLITE_') ? code : null;
}
