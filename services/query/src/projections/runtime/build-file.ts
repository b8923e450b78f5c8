/**
 * The file of one worker of a build, as its writer has it: states, position, counts, parked and skipped events.
 *
 * Promise: all of it moves in one transaction, so after any crash the file holds exactly the events up to the position that it names, each folded, parked or skipped once.
 * It can be deleted at any time: what it holds is computed again from the log.
 *
 * One writer: an open takes a token (`owner`), and a transaction whose token is not the file's writes nothing. So a process that is late, stopped or thought dead cannot
 * write over what its successor has done. Readers open the file by themselves and see whole transactions only.
 *
 * Failure: errors of SQLite are thrown on. A file that is damaged is set aside by who opened it (`BuildFile.open`) and begun again.
 */
import { randomUUID } from 'node:crypto';
import type { Database, Statement } from 'better-sqlite3';
import { problem } from '@allsource/shared/errors';
import type { FoldedEvent } from '../kinds/compiled-projection.ts';
import { type BuildFailure, type BuildProgress, readBuildProgress } from './build-progress.ts';
import { openBuildDatabase } from './build-tables.ts';
import type { KeptState } from './state-cache.ts';

/** Only the newest are kept; all are counted. */
const SKIPPED_KEPT = 1_000;

export interface SavedState {
  readonly key: string;
  /** Null to remove it. */
  readonly state: string | null;
  readonly shown: string | null;
}

export interface ParkedRow {
  readonly entity: string;
  readonly position: number;
  readonly eventId: string;
  readonly eventType: string;
  readonly reason: string;
  readonly attempts: number;
  readonly parkedMs: number;
}

export interface SkippedRow {
  readonly position: number;
  readonly eventId: string;
  readonly entity: string;
  readonly reason: string;
  readonly skippedMs: number;
}

/** What one transaction changes. */
export interface BuildSave {
  readonly progress: Omit<BuildProgress, 'parkedEntities' | 'parkedEvents'>;
  readonly states: Iterable<SavedState>;
  readonly parked: Iterable<ParkedRow>;
  readonly waiting: Iterable<FoldedEvent>;
  /** Parked events that have been folded. */
  readonly freedEvents: Iterable<{ readonly entity: string; readonly position: number }>;
  readonly freedEntities: Iterable<string>;
  readonly skipped: Iterable<SkippedRow>;
}

export interface BuildFileOptions {
  readonly file: string;
  /** A digest of what is computed: a file that holds something else is emptied. */
  readonly computes: string;
}

export class BuildFile {
  /** Why the file that was there before is not used, if so. */
  readonly setAside: string | null;
  readonly #database: Database;
  readonly #owner = randomUUID();
  readonly #statements: Statements;

  private constructor(database: Database, setAside: string | null) {
    this.#database = database;
    this.setAside = setAside;
    this.#statements = prepare(database);
  }

  /** Opens the file, or makes it, and takes it over from whoever wrote it. */
  static open({ file, computes }: BuildFileOptions): BuildFile {
    const { database, setAside } = openBuildDatabase(file);
    const opened = new BuildFile(database, setAside);
    opened.#takeOver(computes);
    return opened;
  }

  progress(): BuildProgress {
    return readBuildProgress(this.#database);
  }

  state(key: string): KeptState | null {
    const row = this.#statements.state.get(key);
    return row === undefined ? null : { state: row.state, isShown: row.shown !== '' };
  }

  /** The entities whose events wait. */
  parkedEntities(): ParkedRow[] {
    return this.#statements.parkedEntities.all();
  }

  /** The oldest events of an entity that wait, at most `limit`. */
  waitingEvents(entity: string, limit: number): FoldedEvent[] {
    const rows = this.#statements.waitingEvents.all(entity, limit);
    return rows.map(({ event }) => JSON.parse(event) as FoldedEvent);
  }

  /** Characters of all events that wait. */
  waitingBytes(): number {
    return this.#statements.waitingBytes.get()?.bytes ?? 0;
  }

  /** Writes all of it or nothing. Throws what SQLite says, and `operation_ended` when another writer has taken the file over. */
  save(save: BuildSave): void {
    const write = this.#database.transaction(() => {
      this.#saveProgress(save);
      this.#saveStates(save.states);
      this.#saveParked(save);
      this.#saveSkipped(save.skipped);
    });
    write.immediate();
  }

  /** Empties it: it is filled again from the first event. */
  reset(): void {
    this.#database.transaction(() => this.#clear()).immediate();
  }

  close(): void {
    this.#database.close();
  }

  #takeOver(computes: string): void {
    const take = this.#database.transaction(() => {
      const row = this.#statements.computes.get();
      if (row?.computes !== computes) this.#clear();
      this.#statements.takeOver.run(this.#owner, computes);
    });
    take.immediate();
  }

  #clear(): void {
    for (const table of ['states', 'parked_entities', 'parked_events', 'skipped'])
      this.#database.exec(`DELETE FROM ${table}`);
    this.#statements.clearProgress.run();
  }

  #saveProgress({ progress }: BuildSave): void {
    const { changes } = this.#statements.saveProgress.run({
      owner: this.#owner,
      logId: progress.logId,
      position: progress.position,
      folded: progress.folded,
      isComplete: progress.isComplete ? 1 : 0,
      hasSharedKeys: progress.hasSharedKeys ? 1 : 0,
      shownRows: progress.shownRows,
      counts: JSON.stringify(progress.counts),
      failure: failureText(progress.failure),
    });
    if (changes === 1) return;
    throw problem('operation_ended', 'Another process carries the projection out.');
  }

  #saveStates(states: Iterable<SavedState>): void {
    const { putState, removeState } = this.#statements;
    for (const { key, state, shown } of states) {
      if (state === null) removeState.run(key);
      else putState.run(key, state, shown);
    }
  }

  #saveParked({ parked, waiting, freedEvents, freedEntities }: BuildSave): void {
    const statements = this.#statements;
    for (const row of parked) statements.park.run(row);
    for (const event of waiting)
      statements.wait.run(event.entityId, event.position, JSON.stringify(event));
    for (const { entity, position } of freedEvents) statements.freeEvent.run(entity, position);
    for (const entity of freedEntities) statements.freeEntity.run(entity);
  }

  #saveSkipped(skipped: Iterable<SkippedRow>): void {
    let rows = 0;
    for (const row of skipped) {
      this.#statements.skip.run(row);
      rows += 1;
    }
    if (rows > 0) this.#statements.trimSkipped.run(SKIPPED_KEPT);
  }
}

interface ProgressValues {
  readonly owner: string;
  readonly logId: string | null;
  readonly position: number;
  readonly folded: number;
  readonly isComplete: number;
  readonly hasSharedKeys: number;
  readonly shownRows: number;
  readonly counts: string;
  readonly failure: string | null;
}

interface Statements {
  readonly computes: Statement<[], { readonly computes: string | null }>;
  readonly takeOver: Statement<[string, string]>;
  readonly clearProgress: Statement<[]>;
  readonly saveProgress: Statement<[ProgressValues]>;
  readonly state: Statement<[string], { readonly state: string; readonly shown: string | null }>;
  readonly putState: Statement<[string, string, string | null]>;
  readonly removeState: Statement<[string]>;
  readonly parkedEntities: Statement<[], ParkedRow>;
  readonly waitingEvents: Statement<[string, number], { readonly event: string }>;
  readonly waitingBytes: Statement<[], { readonly bytes: number }>;
  readonly park: Statement<[ParkedRow]>;
  readonly wait: Statement<[string, number, string]>;
  readonly freeEvent: Statement<[string, number]>;
  readonly freeEntity: Statement<[string]>;
  readonly skip: Statement<[SkippedRow]>;
  readonly trimSkipped: Statement<[number]>;
}

function prepare(database: Database): Statements {
  return {
    computes: database.prepare('SELECT computes FROM progress'),
    takeOver: database.prepare('UPDATE progress SET owner = ?, computes = ?'),
    clearProgress: database.prepare(
      `UPDATE progress SET log_id = NULL, position = 0, folded = 0, is_complete = 0, has_shared_keys = 0,
        shown_rows = 0, counts = '{}', failure = NULL`,
    ),
    saveProgress: database.prepare(
      `UPDATE progress SET log_id = @logId, position = @position, folded = @folded, is_complete = @isComplete,
        has_shared_keys = @hasSharedKeys, shown_rows = @shownRows, counts = @counts, failure = @failure
       WHERE owner = @owner`,
    ),
    state: database.prepare('SELECT state, shown FROM states WHERE key = ?'),
    putState: database.prepare(
      `INSERT INTO states (key, state, shown) VALUES (?, ?, ?)
       ON CONFLICT DO UPDATE SET state = excluded.state, shown = excluded.shown`,
    ),
    removeState: database.prepare('DELETE FROM states WHERE key = ?'),
    parkedEntities: database.prepare(
      `SELECT entity, position, event_id AS eventId, event_type AS eventType, reason, attempts, parked_ms AS parkedMs
       FROM parked_entities ORDER BY position`,
    ),
    waitingEvents: database.prepare(
      'SELECT event FROM parked_events WHERE entity = ? ORDER BY position LIMIT ?',
    ),
    waitingBytes: database.prepare(
      'SELECT coalesce(sum(length(event)), 0) AS bytes FROM parked_events',
    ),
    park: database.prepare(
      `INSERT INTO parked_entities VALUES (@entity, @position, @eventId, @eventType, @reason, @attempts, @parkedMs)
       ON CONFLICT DO UPDATE SET position = @position, event_id = @eventId, event_type = @eventType, reason = @reason,
        attempts = @attempts, parked_ms = @parkedMs`,
    ),
    wait: database.prepare('INSERT OR REPLACE INTO parked_events VALUES (?, ?, ?)'),
    freeEvent: database.prepare('DELETE FROM parked_events WHERE entity = ? AND position = ?'),
    freeEntity: database.prepare('DELETE FROM parked_entities WHERE entity = ?'),
    skip: database.prepare(
      'INSERT OR REPLACE INTO skipped VALUES (@position, @eventId, @entity, @reason, @skippedMs)',
    ),
    trimSkipped: database.prepare(
      'DELETE FROM skipped WHERE position <= (SELECT position FROM skipped ORDER BY position DESC LIMIT 1 OFFSET ?)',
    ),
  };
}

function failureText(failure: BuildFailure | null): string | null {
  return failure === null ? null : JSON.stringify(failure);
}
