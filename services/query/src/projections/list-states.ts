/**
 * Lists states in the order of their keys and counts all of them. To count and to pass over an offset every key has to be looked at: about a tenth of a microsecond each, with
 * ten million more than a second. So it is done in a thread (list.worker.ts), in steps, with an end.
 */
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import type { StoredState } from './stored-state.ts';

/** Keys counted between two looks at the clock: some milliseconds. */
const STEP_KEYS = 50_000;
// A key has some hundred bytes at most, so none with a prefix sorts behind the prefix followed by this.
const BEHIND_ALL = '\u{10ffff}'.repeat(100);

export interface ListedStates {
  /** The rows as JSON, with commas in between. */
  readonly rows: string;
  /** States in `rows`. */
  readonly count: number;
  /** States whose key has the prefix, those outside the window too. */
  readonly total: number;
}

export interface ListWindow {
  readonly keyPrefix: string;
  readonly limit: number;
  readonly offset: number;
}

/** Keys from `from` on, without `behind`, up to `end`. */
export interface KeyRange {
  readonly from: string;
  readonly behind: string | null;
  readonly end: string;
}

/** States that lie in the order of their keys. */
export interface StateTable {
  /** How many keys of a range there are, at most `keysMax`, and the last of those. */
  countKeys(range: KeyRange, keysMax: number): { readonly keys: number; readonly last: string };
  states(range: KeyRange, offset: number, limit: number): Iterable<StoredState>;
}

/** Reads a window. It ends early where its text would be too long. Throws `query_budget_exceeded` when there are too many keys for the time. */
export function listStates(
  table: StateTable,
  { keyPrefix, limit, offset }: ListWindow,
  isOver: () => boolean,
): ListedStates {
  const end = keyPrefix + BEHIND_ALL;
  let range: KeyRange = { from: keyPrefix, behind: null, end };
  let total = 0;
  let first: { readonly range: KeyRange; readonly offset: number } | null = null;
  for (;;) {
    const { keys, last } = table.countKeys(range, STEP_KEYS);
    if (first === null && offset < total + keys) first = { range, offset: offset - total };
    total += keys;
    if (keys < STEP_KEYS) break;
    if (isOver()) throw tooManyKeys(total);
    range = { from: last, behind: last, end };
  }
  const page = first === null ? [] : table.states(first.range, first.offset, limit);
  return { ...rowsOf(page), total };
}

function rowsOf(states: Iterable<StoredState>): { rows: string; count: number } {
  const rows: string[] = [];
  let characters = 0;
  for (const state of states) {
    const row = rowJson(state);
    characters += row.length;
    if (rows.length > 0 && characters > LIMITS.statesPageCharactersMax) break;
    rows.push(row);
  }
  return { rows: rows.join(','), count: rows.length };
}

function rowJson({ key, state }: StoredState): string {
  const tooLarge = state === null ? ',"too_large":true' : '';
  return `{"entity_id":${JSON.stringify(key)},"state":${state ?? 'null'}${tooLarge}}`;
}

/** Says that there are too many keys to go through for one list. */
export function tooManyKeys(counted: number): Error {
  return problem(
    'query_budget_exceeded',
    `To go through the keys took more than ${LIMITS.stateListMsMax} ms; ${counted} were counted. Name a prefix (entity_id_prefix) that fewer have.`,
  );
}
