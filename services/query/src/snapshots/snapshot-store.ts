/**
 * The snapshots in one SQLite file.
 *
 * Promise: what is read back is what was written, or nothing: each row has a checksum over its facts and its state, and one that does not fit is
 * removed with a warning. A file that SQLite finds damaged is set aside with a warning and replaced by an empty one. A snapshot is never needed for
 * an answer, so reads here do not fail: they find nothing.
 *
 * Ordering: rows are written in transactions of a batch each; of an entity the newest are kept and the older ones go in the same transaction. The
 * newest is the one of the highest version, and of equal versions the one kept last: one that was folded earlier may be kept later. A higher version
 * holds every event of a lower one, back-dated ones too, and stands for more of what is asked; only questions of the past can need a lower one.
 * All rows come from one log: with the first use under another log the file is emptied.
 *
 * A crash leaves whole transactions. Everything in the file can be deleted while the service does not run.
 */
import type { Database, Statement } from 'better-sqlite3';
import { setAsideDatabase } from '../projections/projection-database.ts';
import { LIMITS } from '@allsource/shared/limits';
import type { Logger } from '@allsource/service-kit/observability';
import type { EntityWanted } from './fold-entity.ts';
import type { SnapshotDraft, SnapshotEntry, StoredSnapshot } from './snapshot.ts';
import { isDamage, isSqliteError, openSnapshotDatabase } from './snapshot-database.ts';
import {
  ENTRY_COLUMNS,
  type EntryRow,
  entryOf,
  isWhole,
  isWholeEntry,
  rowOf,
  type SnapshotRow,
  snapshotOf,
} from './snapshot-rows.ts';

export interface SnapshotStoreOptions {
  readonly file: string;
  readonly logger: Pick<Logger, 'warn'>;
}

/** One page of a list. */
export interface SnapshotPage {
  readonly entries: readonly SnapshotEntry[];
  readonly total: number;
}

export interface SnapshotList {
  readonly tenant: string;
  /** Null: of all entities. */
  readonly entity: string | null;
  readonly limit: number;
  /** Only snapshots kept before the one of this number. */
  readonly before: number;
}

/** An entity that has a snapshot, at the version of the newest. */
export interface CheckedEntity {
  readonly tenant: string;
  readonly entity: string;
  readonly version: number;
}

/** Names a row. */
type SnapshotName = Pick<SnapshotEntry, 'number' | 'id' | 'tenant' | 'entity'>;

const CHECKSUM_FAULT = 'its checksum does not fit';
const ALL_TIME = Number.MAX_SAFE_INTEGER;

export class SnapshotStore {
  readonly #options: SnapshotStoreOptions;
  #database: Database;
  #statements: Statements;
  #logId: string | null;

  constructor(options: SnapshotStoreOptions) {
    this.#options = options;
    this.#database = this.#open();
    this.#statements = prepareStatements(this.#database);
    this.#logId = this.#statements.logId.get()?.log_id ?? null;
  }

  #open(): Database {
    return openSnapshotDatabase(this.#options.file, {
      probe: (database) => void prepareStatements(database).logId.get(),
      onSetAside: (reason) => this.#warnSetAside(reason),
    });
  }

  #warnSetAside(reason: string): void {
    this.#options.logger.warn({ reason }, 'the file of snapshots is set aside; a new one is begun');
  }

  /** Says which log the history holds. Snapshots of another one are removed. */
  useLog(logId: string): void {
    if (this.#logId === logId) return;
    const wasOther = this.#logId !== null;
    this.#guarded(null, () => {
      this.#database.transaction(() => {
        if (wasOther) this.#empty();
        this.#statements.saveLogId.run(logId);
      })();
    });
    if (wasOther) this.#options.logger.warn({ logId }, 'the snapshots of another log are removed');
    this.#logId = logId;
  }

  /** Removes all snapshots. */
  clear(): void {
    this.#guarded(null, () => this.#database.transaction(() => this.#empty())());
  }

  #empty(): void {
    this.#database.exec('DELETE FROM snapshots; DELETE FROM entities; DELETE FROM totals');
  }

  /** The newest snapshot whose events are all among those wanted. */
  newestSafe(wanted: EntityWanted): StoredSnapshot | null {
    const { tenant, entity, untilPosition, asOf, asOfRecorded } = wanted;
    const bounds = [untilPosition, asOf ?? ALL_TIME, asOfRecorded ?? ALL_TIME] as const;
    return this.#whole(() => this.#statements.newestSafe.get(tenant, entity, ...bounds));
  }

  /** Reads until a row is whole; each that is not is removed, so there is an end. */
  #whole(read: () => SnapshotRow | undefined): StoredSnapshot | null {
    for (;;) {
      const row = this.#guarded(undefined, read);
      if (row === undefined) return null;
      if (isWhole(row)) return snapshotOf(row);
      this.discard(row, CHECKSUM_FAULT);
    }
  }

  /** Removes a snapshot that cannot be used, with a warning. */
  discard({ number, id, tenant, entity }: SnapshotName, reason: string): void {
    this.#options.logger.warn({ snapshot: id, reason }, 'a snapshot is removed');
    const { remove, forgetEntity } = this.#statements;
    this.#guarded(null, () => {
      this.#database.transaction(() => {
        remove.run(number);
        // As an entity without a snapshot it gets one again.
        forgetEntity.run(tenant, entity);
      })();
    });
  }

  /** Snapshots, the one kept last first. */
  list({ tenant, entity, limit, before }: SnapshotList): SnapshotPage {
    const { ofEntity, countOfEntity, ofTenant, countOfTenant } = this.#statements;
    return this.#guarded({ entries: [], total: 0 }, () => {
      const rows =
        entity === null
          ? ofTenant.all(tenant, before, limit)
          : ofEntity.all(tenant, entity, before, limit);
      const counted =
        entity === null ? countOfTenant.get(tenant) : countOfEntity.get(tenant, entity);
      const entries: SnapshotEntry[] = [];
      for (const row of rows) {
        if (isWholeEntry(row)) entries.push(entryOf(row));
        else this.discard(row, CHECKSUM_FAULT);
      }
      return { entries, total: counted?.total ?? 0 };
    });
  }

  /** The version of the newest snapshot of an entity; 0 when there is none. */
  newestVersion(tenant: string, entity: string): number {
    return this.#guarded(0, () => this.#statements.newestVersion.get(tenant, entity)?.version ?? 0);
  }

  /** Entities with a snapshot that nobody has looked at since `beforeMs`, the longest first. */
  uncheckedSince(beforeMs: number, limit: number): CheckedEntity[] {
    return this.#guarded([], () => this.#statements.unchecked.all(beforeMs, limit));
  }

  /** Says that nothing has happened to these entities. */
  markChecked(entities: readonly CheckedEntity[], nowMs: number): void {
    const { markChecked } = this.#statements;
    this.#guarded(null, () => {
      this.#database.transaction(() => {
        for (const { tenant, entity } of entities) markChecked.run(nowMs, tenant, entity);
      })();
    });
  }

  /** Keeps snapshots, all or none. Throws what SQLite says. */
  save(drafts: readonly SnapshotDraft[]): void {
    const { add, prune, noteEntity } = this.#statements;
    try {
      this.#database.transaction(() => {
        for (const draft of drafts) {
          const { tenant, entity } = draft;
          add.run(rowOf(draft));
          prune.run(tenant, entity, tenant, entity, LIMITS.entitySnapshotsMax);
          noteEntity.run(tenant, entity, draft.last.version, Math.floor(draft.createdMs));
        }
      })();
    } catch (error) {
      this.#replaceIfDamaged(error);
      throw error;
    }
  }

  close(): void {
    this.#database.close();
  }

  /** A read never fails because of this store: it finds nothing, and the log says how things are. */
  #guarded<T>(nothing: T, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!isSqliteError(error)) throw error;
      if (!this.#replaceIfDamaged(error))
        this.#options.logger.warn({ err: error }, 'the snapshots could not be read');
      return nothing;
    }
  }

  #replaceIfDamaged(error: unknown): boolean {
    if (!isDamage(error)) return false;
    this.#warnSetAside(String(error));
    this.#database.close();
    setAsideDatabase(this.#options.file);
    this.#database = this.#open();
    this.#statements = prepareStatements(this.#database);
    if (this.#logId !== null) this.#statements.saveLogId.run(this.#logId);
    return true;
  }
}

interface Total {
  readonly total: number;
}

interface Statements {
  readonly logId: Statement<[], { readonly log_id: string | null }>;
  readonly saveLogId: Statement<[string]>;
  readonly newestSafe: Statement<[string, string, number, number, number], SnapshotRow>;
  readonly remove: Statement<[number]>;
  readonly forgetEntity: Statement<[string, string]>;
  readonly ofTenant: Statement<[string, number, number], EntryRow>;
  readonly ofEntity: Statement<[string, string, number, number], EntryRow>;
  readonly countOfTenant: Statement<[string], Total>;
  readonly countOfEntity: Statement<[string, string], Total>;
  readonly newestVersion: Statement<[string, string], { readonly version: number }>;
  readonly unchecked: Statement<[number, number], CheckedEntity>;
  readonly markChecked: Statement<[number, string, string]>;
  readonly add: Statement<[Omit<SnapshotRow, 'number'>]>;
  readonly prune: Statement<[string, string, string, string, number]>;
  readonly noteEntity: Statement<[string, string, number, number]>;
}

function prepareStatements(database: Database): Statements {
  const ofEntity = 'FROM snapshots WHERE tenant = ? AND entity = ?';
  const newestFirst = 'ORDER BY version DESC, number DESC';
  return {
    logId: database.prepare('SELECT log_id FROM log'),
    saveLogId: database.prepare('UPDATE log SET log_id = ?'),
    newestSafe: database.prepare(
      `SELECT ${ENTRY_COLUMNS}, stored ${ofEntity} AND position <= ? AND timestamp_max <= ? AND recorded_at <= ?
       ${newestFirst} LIMIT 1`,
    ),
    remove: database.prepare('DELETE FROM snapshots WHERE number = ?'),
    forgetEntity: database.prepare('DELETE FROM entities WHERE tenant = ? AND entity = ?'),
    ofTenant: database.prepare(
      `SELECT ${ENTRY_COLUMNS} FROM snapshots WHERE tenant = ? AND number < ? ORDER BY number DESC LIMIT ?`,
    ),
    ofEntity: database.prepare(
      `SELECT ${ENTRY_COLUMNS} ${ofEntity} AND number < ? ORDER BY number DESC LIMIT ?`,
    ),
    countOfTenant: database.prepare('SELECT snapshots AS total FROM totals WHERE tenant = ?'),
    countOfEntity: database.prepare(`SELECT count(*) AS total ${ofEntity}`),
    newestVersion: database.prepare('SELECT version FROM entities WHERE tenant = ? AND entity = ?'),
    unchecked: database.prepare(
      'SELECT tenant, entity, version FROM entities WHERE checked_ms < ? ORDER BY checked_ms LIMIT ?',
    ),
    markChecked: database.prepare(
      'UPDATE entities SET checked_ms = ? WHERE tenant = ? AND entity = ?',
    ),
    add: database.prepare(
      `INSERT INTO snapshots (id, tenant, entity, kind, position, event_id, version, timestamp, recorded_at, timestamp_max, created_ms, state_bytes, stored_bytes, stored_checksum, checksum, stored)
       VALUES (@id, @tenant, @entity, @kind, @position, @event_id, @version, @timestamp, @recorded_at, @timestamp_max, @created_ms, @state_bytes, @stored_bytes, @stored_checksum, @checksum, @stored)`,
    ),
    prune: database.prepare(
      `DELETE FROM snapshots WHERE tenant = ? AND entity = ? AND number NOT IN
       (SELECT number ${ofEntity} ${newestFirst} LIMIT ?)`,
    ),
    noteEntity: database.prepare(
      `INSERT INTO entities (tenant, entity, version, checked_ms) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET version = max(version, excluded.version), checked_ms = excluded.checked_ms`,
    ),
  };
}
