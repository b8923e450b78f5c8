import type { EventHistory, EventSelection } from '../history/event-history.ts';
import type { EventRun } from '../history/event-run.ts';
import type { RunDigest, RunDigests } from './run-digest.ts';
import { fillRows, type RunSearch, searchOf } from './run-search.ts';
import type { Pace } from '@allsource/service-kit/turns';

/** Rows looked at between two looks at the clock: about a millisecond. */
const ROWS_A_STEP = 65_536;

/** Counts the rows of one run. */
export interface RunTally {
  /** Takes the next rows that are meant. The array is used again for the rows after them. */
  addRows(rows: Uint32Array): void;
  /** Takes the whole run at once and returns true, or leaves it to its rows. */
  addDigest?(digest: RunDigest): boolean | Promise<boolean>;
  /** All rows of the run have been taken. */
  end?(): void;
}

export interface Scan {
  readonly history: EventHistory;
  readonly selection: EventSelection;
  readonly pace: Pace;
  /** Where the digests of runs are kept; null when the tallies can do nothing with one. */
  readonly digests: RunDigests | null;
  /** Begins to count a run; it may have to wait for what it counts with. */
  readonly begin: (run: EventRun, search: RunSearch) => RunTally | Promise<RunTally>;
}

/** Goes through all rows that a selection means, run by run, in position order. What is applied meanwhile is not among them. */
export async function scan(options: Scan): Promise<void> {
  const { history, selection, pace } = options;
  for (const run of history.runs(selection)) {
    if (pace.isTurnOver) await pace.nextTurn();
    const search = searchOf(run, selection);
    if (search !== null) await scanRun(options, run, search);
  }
}

/** Bytes looked through between two looks at the clock; a row counts for some as well. */
const BYTES_A_LOOK = 128 * 1024;
const BYTES_A_ROW = 512;

/** Visits the rows that a selection means one by one, in position order, for work that is more than to count. A visit says how many bytes it has looked through. */
export async function visitRows(
  { history, selection, pace }: Pick<Scan, 'history' | 'selection' | 'pace'>,
  visit: (run: EventRun, row: number) => number,
): Promise<void> {
  let bytes = 0;
  for (const run of history.runs(selection)) {
    const search = searchOf(run, selection);
    if (search === null) continue;
    for await (const rows of rowsMeant({ run, search, selection, pace })) {
      for (const row of rows) {
        bytes += BYTES_A_ROW + visit(run, row);
        if (bytes < BYTES_A_LOOK) continue;
        bytes = 0;
        if (pace.isTurnOver) await pace.nextTurn();
      }
    }
  }
}

/** Stretches of rows; the array is used again for the next one. */
async function* rowsMeant({
  run,
  search,
  selection,
  pace,
}: Pick<RowScan, 'run' | 'search' | 'pace'> &
  Pick<Scan, 'selection'>): AsyncGenerator<Uint32Array> {
  if (selection.entity !== undefined) {
    yield entityRows(run, search, selection);
    return;
  }
  const rows = new Uint32Array(Math.min(ROWS_A_STEP, search.rowCount));
  for (let start = 0; start < search.rowCount; start += ROWS_A_STEP) {
    if (pace.isTurnOver) await pace.nextTurn();
    const end = Math.min(search.rowCount, start + ROWS_A_STEP);
    yield rows.subarray(0, fillRows(run, search, { start, end }, rows));
  }
}

async function scanRun(options: Scan, run: EventRun, search: RunSearch): Promise<void> {
  const { selection, pace, digests } = options;
  if (selection.entity !== undefined) {
    const rows = entityRows(run, search, selection);
    if (rows.length === 0) return;
    const tally = await options.begin(run, search);
    tally.addRows(rows);
    tally.end?.();
    return;
  }
  const tally = await options.begin(run, search);
  const isWhole = !search.isTimed && search.rowCount === run.rowCount;
  const digest = isWhole && digests !== null ? await digests.of(run, pace) : null;
  const isCounted = digest !== null && (await tally.addDigest?.(digest)) === true;
  if (!isCounted) await scanRows({ run, search, tally, pace });
  tally.end?.();
}

function entityRows(run: EventRun, search: RunSearch, selection: EventSelection): Uint32Array {
  const { source } = run;
  const entity = source.findEntity(selection.tenant, selection.entity ?? '');
  if (entity === -1) return new Uint32Array(0);
  const { timestamps, types } = source;
  return source
    .rowsOfEntity(entity)
    .filter(
      (row) =>
        row < search.rowCount &&
        (search.types === null || search.types[types[row] as number] === 1) &&
        (timestamps[row] as number) >= search.from &&
        (timestamps[row] as number) <= search.to,
    );
}

interface RowScan {
  readonly run: EventRun;
  readonly search: RunSearch;
  readonly tally: RunTally;
  readonly pace: Pace;
}

async function scanRows({ run, search, tally, pace }: RowScan): Promise<void> {
  const rows = new Uint32Array(Math.min(ROWS_A_STEP, search.rowCount));
  for (let start = 0; start < search.rowCount; start += ROWS_A_STEP) {
    if (pace.isTurnOver) await pace.nextTurn();
    const end = Math.min(search.rowCount, start + ROWS_A_STEP);
    const count = fillRows(run, search, { start, end }, rows);
    if (count > 0) tally.addRows(rows.subarray(0, count));
  }
}

/** Adds to the count of a key. */
export function addTo<K>(counts: Map<K, number>, key: K, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}
