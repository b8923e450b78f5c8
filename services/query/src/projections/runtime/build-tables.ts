import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { isDamage, setAsideDatabase } from '../projection-database.ts';

/** Names the tables below. A file with another number is set aside and filled again. */
const FORMAT = 1;
const CACHE_KIB = 16 * 1024;
/** Only for the moment in which a worker takes the file over from another one: its process waits. */
const BUSY_TIMEOUT_MS = 1_000;

const TABLES = `
  CREATE TABLE progress (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- Who writes: each open of the file takes another token, and a writer whose token is not there writes nothing.
    owner TEXT,
    -- A digest of what is computed.
    computes TEXT,
    log_id TEXT,
    -- The end of the last whole frame, and the last event, which may lie inside of the next frame.
    position INTEGER NOT NULL DEFAULT 0,
    folded INTEGER NOT NULL DEFAULT 0,
    is_complete INTEGER NOT NULL DEFAULT 0,
    -- True when a key may be held by other workers too.
    has_shared_keys INTEGER NOT NULL DEFAULT 0,
    shown_rows INTEGER NOT NULL DEFAULT 0,
    counts TEXT NOT NULL DEFAULT '{}',
    failure TEXT
  );
  INSERT INTO progress (one) VALUES (1);
  -- The state as the fold keeps it, and as readers see it: null where that is the same, empty where it is hidden.
  CREATE TABLE states (
    key TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    shown TEXT
  ) WITHOUT ROWID;
  CREATE TABLE parked_entities (
    entity TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    parked_ms INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE TABLE parked_events (
    entity TEXT NOT NULL,
    position INTEGER NOT NULL,
    event TEXT NOT NULL,
    PRIMARY KEY (entity, position)
  ) WITHOUT ROWID;
  CREATE TABLE skipped (
    position INTEGER PRIMARY KEY,
    event_id TEXT NOT NULL,
    entity TEXT NOT NULL,
    reason TEXT NOT NULL,
    skipped_ms INTEGER NOT NULL
  );
  PRAGMA user_version = ${FORMAT};
`;

/** An open database, and why the file that was there before is not used, if so. */
export interface OpenedBuild {
  readonly database: Database.Database;
  readonly setAside: string | null;
}

/**
 * Opens the file of one worker of a build for its writer, or makes it. A file that is damaged or of another format is renamed to `<file>.set-aside`: everything in it is
 * computed again from the log.
 */
export function openBuildDatabase(file: string): OpenedBuild {
  mkdirSync(dirname(file), { recursive: true });
  const fault = existsSync(file) ? buildFileFault(file) : null;
  if (fault !== null) setAsideDatabase(file);
  const database = new Database(file, { timeout: BUSY_TIMEOUT_MS });
  // In WAL mode NORMAL can lose the last transactions in a power cut, never half of one; the log gives them again.
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.pragma(`cache_size = -${CACHE_KIB}`);
  const make = database.transaction(() => {
    if (database.pragma('user_version', { simple: true }) !== FORMAT) database.exec(TABLES);
  });
  make.immediate();
  return { database, setAside: fault };
}

/** Opens the file for reading; null when it is not there, or not finished being made. */
export function openBuildForReading(file: string): Database.Database | null {
  if (!existsSync(file)) return null;
  const database = new Database(file, { readonly: true, timeout: 0 });
  try {
    if (database.pragma('user_version', { simple: true }) === FORMAT) return database;
  } catch (error) {
    database.close();
    throw error;
  }
  database.close();
  return null;
}

function buildFileFault(file: string): string | null {
  let database: Database.Database | null = null;
  try {
    database = new Database(file, { timeout: BUSY_TIMEOUT_MS });
    const format = database.pragma('user_version', { simple: true });
    // An empty file is one whose making was cut off.
    if (format === 0) return null;
    if (format !== FORMAT) return `its format is ${String(format)}, this program writes ${FORMAT}`;
    const progress = database.prepare('SELECT position FROM progress').get();
    return progress === undefined ? 'it does not say its position' : null;
  } catch (error) {
    if (isDamage(error)) return String(error);
    throw error;
  } finally {
    database?.close();
  }
}
