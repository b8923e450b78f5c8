/**
 * Brings rows of runs into the order of answers. Both ways give them some at a time, as stretches of one run each. Whoever goes through them lets others run in between, when a turn is over; where that
 * is due before there are rows, none are given. (They are no async generators: one in the other, for a page of few rows they took longer than all else here.)
 */
import type { QueryOrder } from '@allsource/shared/protocol';
import type { RowStretches, RunMatch } from '../history/event-history.ts';
import type { EventRun } from '../history/event-run.ts';
import type { QueryBudget } from './query-budget.ts';

/** Rows that are sorted at once: about two milliseconds. */
const SLICE_ROWS = 8_192;
/** Rows that are brought into order first. */
const FIRST_ROWS = 256;
/** Rows of a merge that are given at a time. */
const MERGED_ROWS = 512;
/** What is given when a turn is over and there are no rows yet. */
export const NO_ROWS: RowStretches = [];

export interface SortedPart extends RunMatch {
  /** True when no row has an earlier timestamp than the one before it. */
  readonly isOrdered: boolean;
}

export interface Ordering {
  readonly order: QueryOrder;
  readonly budget: QueryBudget;
}

/** The place of an event in the order of answers. */
export interface AnswerKey {
  readonly timestamp: number;
  readonly version: number;
  readonly position: number;
}

export function keyOf(run: EventRun, row: number): AnswerKey {
  const { source } = run;
  return {
    timestamp: source.timestamps[row] as number,
    version: source.versions[row] as number,
    position: source.firstPosition + (source.positions[row] as number),
  };
}

/** Ascending. */
export function compareKeys(a: AnswerKey, b: AnswerKey): number {
  return a.timestamp - b.timestamp || a.version - b.version || a.position - b.position;
}

export function isAscending(timestamps: Float64Array, rows: Uint32Array): boolean {
  let last = Number.NEGATIVE_INFINITY;
  for (const row of rows) {
    const timestamp = timestamps[row] as number;
    if (timestamp < last) return false;
    last = timestamp;
  }
  return true;
}

/** Leaves out the rows up to a cursor. */
export function partBehind(
  part: SortedPart,
  { after, order }: { readonly after: AnswerKey | null; readonly order: QueryOrder },
): SortedPart {
  if (after === null) return part;
  const { run } = part;
  const { timestamps } = run.source;
  const sign = order === 'asc' ? 1 : -1;
  const isBehind = (row: number) => {
    const distance = (timestamps[row] as number) - after.timestamp;
    return sign * (distance === 0 ? compareKeys(keyOf(run, row), after) : distance) > 0;
  };
  const { rows } = part;
  if (!part.isOrdered) return { ...part, rows: rows.filter(isBehind) };
  // Only rows of the cursor's own instant are held against it one by one.
  const from = countUntil(part, (timestamp) => timestamp < after.timestamp);
  const to = countUntil(part, (timestamp) => timestamp <= after.timestamp);
  const same = rows.subarray(from, to).filter(isBehind);
  return {
    ...part,
    rows: order === 'asc' ? joined(same, rows.subarray(to)) : joined(rows.subarray(0, from), same),
  };
}

/** How many of the rows, which stand in time order, come before those whose timestamps do not pass. */
function countUntil({ run, rows }: RunMatch, passes: (timestamp: number) => boolean): number {
  const { timestamps } = run.source;
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (passes(timestamps[rows[middle] as number] as number)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function joined(first: Uint32Array, second: Uint32Array): Uint32Array {
  if (first.length === 0) return second;
  if (second.length === 0) return first;
  const both = new Uint32Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

/** The rows of a run that stands in time order, of which `wanted` will be read: cut where the time moves on, each piece sorted when its turn comes. */
export function* orderedRows(
  { run, rows }: SortedPart,
  { order, budget, wanted }: Ordering & { readonly wanted: number },
): Generator<RowStretches> {
  const { timestamps } = run.source;
  const isSame = (a: number, b: number) =>
    timestamps[rows[a] as number] === timestamps[rows[b] as number];
  let size = Math.min(FIRST_ROWS, wanted);
  let [low, high] = [0, rows.length];
  while (low < high) {
    let [start, end] =
      order === 'asc' ? [low, Math.min(high, low + size)] : [Math.max(low, high - size), high];
    while (end < high && isSame(end - 1, end)) end++;
    while (start > low && isSame(start - 1, start)) start--;
    if (order === 'asc') low = end;
    else high = start;
    size = SLICE_ROWS / 2;
    const piece = rows.subarray(start, end);
    if (piece.length > SLICE_ROWS) yield* mergedRows([{ run, rows: piece }], { order, budget });
    else yield [{ run, rows: sortedSlice(run, piece, order) }];
  }
}

/** A copy of the rows in the order of answers. */
function sortedSlice(run: EventRun, rows: Uint32Array, order: QueryOrder): Uint32Array {
  const { timestamps, versions } = run.source;
  const sorted = rows.slice();
  let isSorted = true;
  for (let i = 1; i < rows.length && isSorted; i++)
    isSorted = compareRows(rows[i - 1] as number, rows[i] as number) < 0;
  if (!isSorted) sorted.sort(compareRows);
  return order === 'asc' ? sorted : sorted.toReversed();

  // Rows of a run ascend with their positions.
  function compareRows(a: number, b: number): number {
    return (
      (timestamps[a] as number) - (timestamps[b] as number) ||
      (versions[a] as number) - (versions[b] as number) ||
      a - b
    );
  }
}

/** A sorted slice on its way into a merge: its next row. */
interface Cursor {
  readonly run: EventRun;
  readonly rows: Uint32Array;
  at: number;
  key: AnswerKey;
}

/** The rows of any runs: sorted in slices first, then merged as they are asked for. */
export function* mergedRows(
  parts: readonly RunMatch[],
  { order, budget }: Ordering,
): Generator<RowStretches> {
  const heap: Cursor[] = [];
  const sign = order === 'asc' ? 1 : -1;
  const isBefore = (a: Cursor, b: Cursor) => sign * compareKeys(a.key, b.key) < 0;
  for (const { run, rows } of parts) {
    budget.takeSorted(rows.length);
    for (let start = 0; start < rows.length; start += SLICE_ROWS) {
      const slice = sortedSlice(run, rows.subarray(start, start + SLICE_ROWS), order);
      push(heap, { run, rows: slice, at: 0, key: keyOf(run, slice[0] as number) }, isBefore);
      if (budget.isTurnOver) yield NO_ROWS;
    }
  }
  while (heap.length > 0) yield nextStretches(heap, isBefore);
}

function nextStretches(heap: Cursor[], isBefore: (a: Cursor, b: Cursor) => boolean): RowStretches {
  const rows = new Uint32Array(MERGED_ROWS);
  const stretches: RunMatch[] = [];
  let run = (heap[0] as Cursor).run;
  let start = 0;
  let end = 0;
  for (let first = heap[0]; first !== undefined && end < rows.length; first = heap[0]) {
    if (first.run !== run) {
      stretches.push({ run, rows: rows.subarray(start, end) });
      run = first.run;
      start = end;
    }
    rows[end++] = first.rows[first.at] as number;
    first.at++;
    if (first.at < first.rows.length) first.key = keyOf(run, first.rows[first.at] as number);
    else dropFirst(heap);
    sink(heap, isBefore);
  }
  stretches.push({ run, rows: rows.subarray(start, end) });
  return stretches;
}

function push(heap: Cursor[], cursor: Cursor, isBefore: (a: Cursor, b: Cursor) => boolean): void {
  let at = heap.push(cursor) - 1;
  while (at > 0) {
    const parent = (at - 1) >>> 1;
    if (!isBefore(heap[at] as Cursor, heap[parent] as Cursor)) return;
    swap(heap, at, parent);
    at = parent;
  }
}

/** Puts the last in place of the first, which is used up. */
function dropFirst(heap: Cursor[]): void {
  const last = heap.pop();
  if (last !== undefined && heap.length > 0) heap[0] = last;
}

/** Lets the first, whose key has changed, find its place. */
function sink(heap: Cursor[], isBefore: (a: Cursor, b: Cursor) => boolean): void {
  let at = 0;
  for (;;) {
    const left = at * 2 + 1;
    if (left >= heap.length) return;
    const right = left + 1;
    const child =
      right < heap.length && isBefore(heap[right] as Cursor, heap[left] as Cursor) ? right : left;
    if (!isBefore(heap[child] as Cursor, heap[at] as Cursor)) return;
    swap(heap, at, child);
    at = child;
  }
}

function swap(heap: Cursor[], a: number, b: number): void {
  const held = heap[a] as Cursor;
  heap[a] = heap[b] as Cursor;
  heap[b] = held;
}
