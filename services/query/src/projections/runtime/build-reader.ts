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
  readonly count: Statement<[string, string], { readonly count: number }>;
  readonly parked: Statement<[number, number], WaitingRow>;
  readonly skipped: Statement<[number], SkippedRow>;
}

export interface BuildReaderOptions {
  readonly files: readonly string[];
  /** Puts states of several workers together; null where no key is of several. */
  readonly merger: Merger | null;
  /** Told when the file of a worker turns out to be damaged. */
  readonly onDamaged: (worker: number) => void;
}

export class BuildReader {
  readonly #options: BuildReaderOptions;
  readonly #parts = new Map<number, Part>();

  constructor(options: BuildReaderOptions) {
    this.#options = options;
  }

  read(key: string): { readonly position: number; readonly state: string | null } {
    const found = this.#each(({ folded, state }) => ({
      folded: folded.get()?.folded ?? 0,
      row: state.get(key) ?? null,
    }));
    const rows = found.flatMap(({ row }) => row ?? []);
    return { position: leastOf(found), state: this.#shownOf(key, rows) };
  }

  /** States in the order of their keys. */
  page(wanted: StatesWanted): { readonly position: number; readonly states: ShownState[] } {
    const { limit, offset = 0, key_prefix: prefix = '', after = null } = wanted;
    const from = after !== null && byCodePoints(after, prefix) > 0 ? after : prefix;
    const isOne = this.#options.files.length === 1;
    const [take, skip] = isOne ? [limit, offset] : [limit + offset, 0];
    const found = this.#each(({ folded, page }) => ({
      folded: folded.get()?.folded ?? 0,
      rows: page.all(from, prefix + BEHIND_ALL, after, take, skip),
    }));
    const states = isOne
      ? (found[0]?.rows ?? []).map(({ key, state, shown }) => ({ key, state: shown ?? state }))
      : this.#together(found.map(({ rows }) => rows)).slice(offset, offset + limit);
    return { position: leastOf(found), states };
  }

  /** How many keys have a state that is shown. */
  count(prefix: string, hasSharedKeys: boolean): number {
    if (!hasSharedKeys || this.#options.files.length === 1) {
      const counts = this.#each(({ count }) => count.get(prefix, prefix + BEHIND_ALL)?.count ?? 0);
      return counts.reduce((sum, count) => sum + count, 0);
    }
    return this.page({ key_prefix: prefix, limit: Number.MAX_SAFE_INTEGER }).states.length;
  }

  /** The oldest first. */
  parked(limit: number, offset: number): WaitingRow[] {
    const rows = this.#each(({ parked }) => parked.all(limit + offset, 0)).flat();
    return rows.toSorted((a, b) => a.position - b.position).slice(offset, offset + limit);
  }

  /** The newest first. */
  skipped(limit: number): SkippedRow[] {
    const rows = this.#each(({ skipped }) => skipped.all(limit)).flat();
    return rows.toSorted((a, b) => b.position - a.position).slice(0, limit);
  }

  /** Closes the connections: the next read opens the files that are there then. */
  forget(): void {
    for (const { database } of this.#parts.values()) database.close();
    this.#parts.clear();
  }

  #each<T>(read: (part: Part) => T): T[] {
    return this.#options.files.map((file, worker) => {
      try {
        const part = this.#part(worker, file);
        return part.database.transaction(() => read(part))();
      } catch (error) {
        if (isDamage(error)) {
          this.forget();
          this.#options.onDamaged(worker);
        }
        throw unreadable(error);
      }
    });
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

  /** Pages of several workers in the order of keys. */
  #together(pages: readonly Row[][]): ShownState[] {
    const byKey = new Map<string, Row[]>();
    for (const row of pages.flat()) {
      const known = byKey.get(row.key);
      if (known === undefined) byKey.set(row.key, [row]);
      else known.push(row);
    }
    const states: ShownState[] = [];
    for (const key of [...byKey.keys()].toSorted(byCodePoints)) {
      const state = this.#shownOf(key, byKey.get(key) ?? []);
      if (state !== null) states.push({ key, state });
    }
    return states;
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

// The order of SQLite, which compares bytes of UTF-8.
function byCodePoints(one: string, other: string): number {
  return Buffer.compare(Buffer.from(one), Buffer.from(other));
}

function leastOf(found: readonly { readonly folded: number }[]): number {
  return Math.min(...found.map(({ folded }) => folded));
}

function unreadable(error: unknown): unknown {
  if (!isDamage(error)) return error;
  return problem(
    'read_store_damaged',
    'A file of the projection is damaged. It is set aside and built again from the log.',
    {},
    error instanceof Error ? error : undefined,
  );
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
    count: database.prepare(
      `SELECT count(*) AS count FROM states WHERE key >= ? AND key <= ? AND (shown IS NULL OR shown <> '')`,
    ),
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
