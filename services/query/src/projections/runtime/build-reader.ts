/**
 * Reads the files of a build's workers while these go on. Each read is of whole transactions and says at which position it is true: the least of the workers'. A key that several
 * workers hold a part of is put together by the projection's own `merge`.
 */
import type { Database, Statement } from 'better-sqlite3';
import { problem } from '@allsource/shared/errors';
import type { JsonValue } from '../kinds/compiled-projection.ts';
import { isDamage } from '../projection-database.ts';
import type { ShownState, StatesWanted } from '../projection-runtime.ts';
import type { ParkedRow, SkippedRow } from './build-file.ts';
import { openBuildForReading } from './build-tables.ts';
import type { Merger } from './lazy-merger.ts';

// Keys have at most some hundred bytes, so none with a prefix sorts behind the prefix followed by this.
const BEHIND_ALL = '\u{10ffff}'.repeat(100);

interface Row {
  readonly key: string;
  readonly state: string;
  readonly shown: string | null;
}

export type WaitingRow = ParkedRow & { readonly eventsWaiting: number };

interface Part {
  readonly database: Database;
  readonly folded: Statement<[], { readonly folded: number }>;
  readonly state: Statement<[string], Row>;
  readonly page: Statement<[string, string, string | null, number, number], Row>;
  readonly keys: Statement<[string, string, string | null, number], string>;
  readonly parked: Statement<[number, number], WaitingRow>;
  readonly skipped: Statement<[number], SkippedRow>;
}

export interface BuildReaderOptions {
  readonly files: readonly string[];
  /** Puts states of several workers together; null where no key is of several. */
  readonly merger: Merger | null;
  /** Told when one of the files turns out to be damaged. */
  readonly onDamaged: () => void;
}

export class BuildReader {
  readonly #options: BuildReaderOptions;
  readonly #parts = new Map<number, Part>();

  constructor(options: BuildReaderOptions) {
    this.#options = options;
  }

  read(key: string): { readonly position: number; readonly state: string | null } {
    return this.#atOnce((parts) => ({
      position: positionOf(parts),
      state: this.#shownOf(key, rowsOf(parts, key)),
    }));
  }

  /** States in the order of their keys. */
  page(wanted: StatesWanted): { readonly position: number; readonly states: ShownState[] } {
    const { limit, offset = 0 } = wanted;
    const [from, end, after] = rangeOf(wanted);
    return this.#atOnce((parts) => {
      const position = positionOf(parts);
      const [one] = parts;
      if (parts.length === 1 && one !== undefined) {
        const rows = one.page.all(from, end, after, limit, offset);
        return { position, states: rows.map(shownAlone) };
      }
      const rows = parts.flatMap(({ page }) => page.all(from, end, after, limit + offset, 0));
      return { position, states: this.#together(parts, rows).slice(offset, offset + limit) };
    });
  }

  /** The keys of the states that `page` has, quicker than those. */
  keys(wanted: StatesWanted): { readonly position: number; readonly keys: string[] } {
    const { merger } = this.#options;
    // What several workers hold may be hidden when it is put together.
    if (merger !== null) {
      const { position, states } = this.page(wanted);
      return { position, keys: states.map(({ key }) => key) };
    }
    const { limit, offset = 0 } = wanted;
    const [from, end, after] = rangeOf(wanted);
    return this.#atOnce((parts) => {
      const all = parts.flatMap(({ keys }) => keys.all(from, end, after, limit + offset));
      const sorted = parts.length === 1 ? all : all.toSorted(byCodePoints);
      return { position: positionOf(parts), keys: sorted.slice(offset, offset + limit) };
    });
  }

  /** The oldest first. */
  parked(limit: number, offset: number): WaitingRow[] {
    const rows = this.#atOnce((parts) =>
      parts.flatMap(({ parked }) => parked.all(limit + offset, 0)),
    );
    return rows.toSorted((a, b) => a.position - b.position).slice(offset, offset + limit);
  }

  /** The newest first. */
  skipped(limit: number): SkippedRow[] {
    const rows = this.#atOnce((parts) => parts.flatMap(({ skipped }) => skipped.all(limit)));
    return rows.toSorted((a, b) => b.position - a.position).slice(0, limit);
  }

  /** Closes the connections: the next read opens the files that are there then. */
  forget(): void {
    for (const { database } of this.#parts.values()) database.close();
    this.#parts.clear();
  }

  /** Reads the files as they are at one moment each, whatever is written meanwhile. */
  #atOnce<T>(read: (parts: readonly Part[]) => T): T {
    const open: Part[] = [];
    try {
      for (const [worker, file] of this.#options.files.entries()) {
        const part = this.#part(worker, file);
        part.database.exec('BEGIN');
        open.push(part);
      }
      return read(open);
    } catch (error) {
      throw isDamage(error) ? this.#damaged(error) : error;
    } finally {
      for (const { database } of open) if (database.open) database.exec('COMMIT');
    }
  }

  #damaged(error: unknown): Error {
    this.forget();
    this.#options.onDamaged();
    return problem(
      'read_store_damaged',
      'A file of the projection is damaged. It is set aside and built again from the log.',
      {},
      error instanceof Error ? error : undefined,
    );
  }

  #part(worker: number, file: string): Part {
    const known = this.#parts.get(worker);
    if (known !== undefined) return known;
    const database = openBuildForReading(file);
    if (database === null) throw problem('read_behind', 'The projection is being built.');
    const part = prepare(database);
    this.#parts.set(worker, part);
    return part;
  }

  /** The states of the keys of some rows, each put together from what all workers hold of it, also where it is hidden. */
  #together(parts: readonly Part[], rows: readonly Row[]): ShownState[] {
    const keys = [...new Set(rows.map(({ key }) => key))].toSorted(byCodePoints);
    return keys.flatMap((key) => {
      const state = this.#shownOf(key, rowsOf(parts, key));
      return state === null ? [] : [{ key, state }];
    });
  }

  #shownOf(key: string, rows: readonly Row[]): string | null {
    const [first] = rows;
    if (first === undefined) return null;
    const { merger } = this.#options;
    if (rows.length === 1 || merger === null)
      return first.shown === '' ? null : (first.shown ?? first.state);
    const merged = merger.merge(
      key,
      rows.map(({ state }) => JSON.parse(state) as JsonValue),
    );
    const shown = merger.present(key, merged);
    return shown === null ? null : JSON.stringify(shown);
  }
}

/** From which key on, up to which, and which one is left out. */
function rangeOf({
  key_prefix: prefix = '',
  after: last,
}: StatesWanted): [from: string, end: string, after: string | null] {
  const after = last ?? null;
  const from = after !== null && byCodePoints(after, prefix) > 0 ? after : prefix;
  return [from, prefix + BEHIND_ALL, after];
}

// The order of SQLite, which compares bytes of UTF-8.
function byCodePoints(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function positionOf(parts: readonly Part[]): number {
  return Math.min(...parts.map(({ folded }) => folded.get()?.folded ?? 0));
}

function rowsOf(parts: readonly Part[], key: string): Row[] {
  return parts.flatMap(({ state }) => state.get(key) ?? []);
}

function shownAlone({ key, state, shown }: Row): ShownState {
  return { key, state: shown ?? state };
}

function prepare(database: Database): Part {
  return {
    database,
    folded: database.prepare('SELECT folded FROM progress'),
    state: database.prepare('SELECT key, state, shown FROM states WHERE key = ?'),
    page: database.prepare(
      `SELECT key, state, shown FROM states
       WHERE key >= ? AND key <= ? AND key IS NOT ? AND (shown IS NULL OR shown <> '') ORDER BY key LIMIT ? OFFSET ?`,
    ),
    keys: database
      .prepare<[string, string, string | null, number], string>(
        `SELECT key FROM states
         WHERE key >= ? AND key <= ? AND key IS NOT ? AND (shown IS NULL OR shown <> '') ORDER BY key LIMIT ?`,
      )
      .pluck(),
    parked: database.prepare(
      `SELECT entity, position, event_id AS eventId, event_type AS eventType, reason, attempts, parked_ms AS parkedMs,
        (SELECT count(*) FROM parked_events AS waiting WHERE waiting.entity = one.entity) AS eventsWaiting
       FROM parked_entities AS one ORDER BY position LIMIT ? OFFSET ?`,
    ),
    skipped: database.prepare(
      `SELECT position, event_id AS eventId, entity, reason, skipped_ms AS skippedMs
       FROM skipped ORDER BY position DESC LIMIT ?`,
    ),
  };
}
