import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { setAsideDatabase } from '../projections/projection-database.ts';

/** Names the tables below and how a state is packed. A file with another number is set aside. */
const FORMAT = 1;
const CACHE_KIB = 16 * 1024;

const TABLES = `
  CREATE TABLE log (one INTEGER PRIMARY KEY CHECK (one = 1), log_id TEXT);
  INSERT INTO log VALUES (1, NULL);
  CREATE TABLE snapshots (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    entity TEXT NOT NULL,
    kind TEXT NOT NULL,
    position INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    timestamp_max INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    state_bytes INTEGER NOT NULL,
    stored_bytes INTEGER NOT NULL,
    stored_checksum INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    stored BLOB NOT NULL
  );
  CREATE INDEX snapshots_of_entity ON snapshots (tenant, entity, number);
  CREATE INDEX snapshots_of_tenant ON snapshots (tenant, number);
  CREATE TABLE entities (
    tenant TEXT NOT NULL,
    entity TEXT NOT NULL,
    version INTEGER NOT NULL,
    checked_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant, entity)
  ) WITHOUT ROWID;
  CREATE INDEX entities_by_check ON entities (checked_ms);
  CREATE TABLE totals (tenant TEXT PRIMARY KEY, snapshots INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TRIGGER snapshot_added AFTER INSERT ON snapshots BEGIN
    INSERT INTO totals VALUES (new.tenant, 1) ON CONFLICT DO UPDATE SET snapshots = snapshots + 1;
  END;
  CREATE TRIGGER snapshot_removed AFTER DELETE ON snapshots BEGIN
    UPDATE totals SET snapshots = snapshots - 1 WHERE tenant = old.tenant;
  END;
`;

export interface OpenOptions {
  /** Asks the tables for everything that will be asked of them; throws what SQLite says where they are not as they should be. */
  readonly probe: (database: Database.Database) => void;
  readonly onSetAside: (reason: string) => void;
}

/**
 * Opens the database file of the snapshots, or makes it. A file that is no database, is damaged or has another format is set aside, and why is
 * told: everything in it can be computed again.
 */
export function openSnapshotDatabase(
  file: string,
  { probe, onSetAside }: OpenOptions,
): Database.Database {
  mkdirSync(dirname(file), { recursive: true });
  const fault = existsSync(file) ? fileFault(file, probe) : null;
  if (fault !== null) {
    setAsideDatabase(file);
    onSetAside(fault);
  }
  const database = new Database(file);
  // In WAL mode NORMAL can lose the last transactions in a power cut, never half of one.
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = NORMAL');
  database.pragma(`cache_size = -${CACHE_KIB}`);
  if (formatOf(database) !== FORMAT) makeTables(database);
  return database;
}

function makeTables(database: Database.Database): void {
  database.transaction(() => {
    database.exec(TABLES);
    database.pragma(`user_version = ${FORMAT}`);
  })();
}

function fileFault(file: string, probe: OpenOptions['probe']): string | null {
  let database: Database.Database | null = null;
  try {
    database = new Database(file);
    const format = formatOf(database);
    // A crash before the tables were made leaves an empty file.
    if (format === 0) return isEmpty(database) ? null : 'it is not a file of snapshots';
    if (format !== FORMAT) return `its format is ${String(format)}, this program writes ${FORMAT}`;
    probe(database);
    return null;
  } catch (error) {
    if (isSqliteError(error)) return String(error);
    throw error;
  } finally {
    database?.close();
  }
}

function isEmpty(database: Database.Database): boolean {
  return database.prepare('SELECT name FROM sqlite_master').get() === undefined;
}

function formatOf(database: Database.Database): unknown {
  return database.pragma('user_version', { simple: true });
}

/** True for whatever SQLite refuses. */
export function isSqliteError(error: unknown): boolean {
  return sqliteCode(error).startsWith('SQLITE_');
}

/** True when the disk has no room. */
export function isFullDisk(error: unknown): boolean {
  return sqliteCode(error) === 'SQLITE_FULL';
}

/**
 * True for what can only come from tables or rows that are not as they were written: the statements themselves are right, and a full disk or a
 * refused handle has another code.
 */
export function isDamage(error: unknown): boolean {
  return /^SQLITE_(CORRUPT|NOTADB|ERROR|CONSTRAINT|MISMATCH|SCHEMA|FORMAT|TOOBIG)/.test(
    sqliteCode(error),
  );
}

function sqliteCode(error: unknown): string {
  const isCoded = typeof error === 'object' && error !== null && 'code' in error;
  return isCoded && typeof error.code === 'string' ? error.code : '';
}
