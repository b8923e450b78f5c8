import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import Database, { type Database as Connection } from 'better-sqlite3';
import { isDamage } from '../../projections/projection-database.ts';

/** Names the tables below and what the operators remember. A file with another number is made anew. */
const FORMAT = 1;
const CACHE_KIB = 8 * 1024;
/** How long is waited for a process before this one to end. */
const LOCK_WAIT_MS = 30_000;
/** A reader holds up the service while it waits. */
const READER_WAIT_MS = 20;
const SUFFIXES = ['', '-wal', '-shm'];
const TABLES = `
  CREATE TABLE progress (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    log_id TEXT,
    position INTEGER NOT NULL,
    processed INTEGER NOT NULL,
    filtered INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    late INTEGER NOT NULL,
    cut INTEGER NOT NULL,
    outputs INTEGER NOT NULL,
    emitted INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    last_processed INTEGER,
    row_count INTEGER NOT NULL
  );
  -- What operators remember.
  CREATE TABLE states (
    operator INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    due INTEGER,
    PRIMARY KEY (operator, key)
  ) WITHOUT ROWID;
  CREATE INDEX states_due ON states (operator, due) WHERE due IS NOT NULL;
  -- The table. A row whose value is null has gone; it stays so that followers are told.
  CREATE TABLE results (
    key TEXT PRIMARY KEY,
    value TEXT,
    position INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX results_position ON results (position, key);
  -- What is to be written or delivered, by the input event and the number of the output.
  CREATE TABLE outbox (
    position INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('emit', 'webhook')),
    route TEXT NOT NULL,
    body TEXT NOT NULL,
    -- The append that it is part of, from the first time it is sent on: a repeated append has the same events.
    batch INTEGER,
    status TEXT NOT NULL CHECK (status IN ('pending', 'dead')),
    attempts INTEGER NOT NULL,
    due_ms INTEGER NOT NULL,
    error TEXT,
    PRIMARY KEY (position, ordinal)
  ) WITHOUT ROWID;
  CREATE INDEX outbox_due ON outbox (kind, status, due_ms);
  -- What the log was found to hold already and the operators have not put out yet.
  CREATE TABLE written (
    position INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    PRIMARY KEY (position, ordinal)
  ) WITHOUT ROWID;
  -- Events that could not be worked with, the newest ones.
  CREATE TABLE faults (
    position INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL,
    reason TEXT NOT NULL
  );
  PRAGMA user_version = ${FORMAT};
`;

/** Opens the file of a pipeline for writing, or makes it. One that is damaged or has another format is made anew: the log gives it all again. */
export function openPipelineDatabase(path: string, startAfter: number): Connection {
  mkdirSync(dirname(path), { recursive: true });
  if (existsSync(path) && !isSound(path)) removePipelineDatabase(path);
  if (!existsSync(path)) makePipelineDatabase(path, startAfter);
  const database = new Database(path, { timeout: LOCK_WAIT_MS, fileMustExist: true });
  // In WAL mode NORMAL can lose the last transactions in a power cut, never half of one; the log gives them again.
  database.pragma('synchronous = NORMAL');
  database.pragma(`cache_size = -${CACHE_KIB}`);
  return database;
}

/** Makes a file under another name and gives it its own when it is whole, so that no reader meets half of one. */
function makePipelineDatabase(path: string, startAfter: number): void {
  const fresh = `${path}.new`;
  removePipelineDatabase(fresh);
  const database = new Database(fresh);
  try {
    database.pragma('journal_mode = WAL');
    database.transaction(() => {
      database.exec(TABLES);
      database
        .prepare('INSERT INTO progress VALUES (1, NULL, ?, 0, 0, 0, 0, 0, 0, 0, 0, NULL, 0)')
        .run(startAfter);
    })();
  } finally {
    database.close();
  }
  renameSync(fresh, path);
}

/**
 * Opens the file of a pipeline to read from it beside the process that writes it; null as long as there is none. Readers wait for nobody, but for the moment in which the
 * file is recovered after a kill.
 */
export function openForReading(path: string): Connection | null {
  if (!existsSync(path)) return null;
  const options = { readonly: true, fileMustExist: true, timeout: READER_WAIT_MS };
  return new Database(path, options);
}

/** Removes the file of a pipeline and what belongs to it. */
export function removePipelineDatabase(path: string): void {
  for (const suffix of SUFFIXES) rmSync(path + suffix, { force: true });
}

function isSound(path: string): boolean {
  let database: Connection | null = null;
  try {
    database = new Database(path, { timeout: LOCK_WAIT_MS });
    const format = database.pragma('user_version', { simple: true });
    return format === FORMAT && database.pragma('quick_check(1)', { simple: true }) === 'ok';
  } catch (error) {
    if (isDamage(error)) return false;
    throw error;
  } finally {
    database?.close();
  }
}
