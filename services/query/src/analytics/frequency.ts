import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { formatTimestamp, type Micros, micros } from '@allsource/shared/model';
import { Dictionary } from '../history/dictionary.ts';
import type { EventSelection } from '../history/event-history.ts';
import type { EventRun } from '../history/event-run.ts';
import type { ScanDesk } from './scan-desk.ts';
import { HOUR_MICROS, type HourCounts, latestOf, type RunDigest } from './run-digest.ts';
import type { RunSearch } from './run-search.ts';
import { type RunTally, scan } from './scan.ts';
import type { Pace } from '@allsource/service-kit/turns';
import { type TimeGrid, timeGrid, type Window } from './time-grid.ts';

export interface FrequencyQuestion {
  readonly selection: EventSelection;
  readonly window: Window;
  readonly monthStep: 'calendar' | '30d';
  readonly since: Micros;
  /** Null: up to the present. */
  readonly until: Micros | null;
  readonly now: Micros;
}

export interface FrequencyBucket {
  readonly timestamp: string;
  readonly count: number;
  readonly event_types: Readonly<Record<string, number>>;
}

/** The answer; the buckets are put together one by one as they are asked for. */
export interface Frequency {
  readonly buckets: Iterable<FrequencyBucket>;
  readonly totalEvents: number;
  readonly window: Window;
  readonly from: string;
  readonly to: string;
}

/**
 * Counts events by time. Buckets without events are there with a count of 0, from the one of `since` to the one of `until`; when nothing
 * matches at all there are none. Throws `invalid_parameter` when the range needs more buckets, or the types more counts, than one
 * answer may hold.
 */
export async function eventFrequency(
  desk: ScanDesk,
  question: FrequencyQuestion,
  pace: Pace,
): Promise<Frequency> {
  const { since, until, now, window } = question;
  const grid = timeGrid({ window, since, monthStep: question.monthStep });
  requireFewBuckets(grid.indexOf(until ?? now) + 1, window);
  const counts = new CellCounts();
  const range = { since, until, now };
  await scan({
    history: desk.history,
    selection: { ...question.selection, since, until: until ?? undefined },
    pace,
    // Hours are parts of every longer window. Minutes are not made of hours.
    digests: window === 'minute' ? null : desk.digests,
    begin: (run, search) => new RunFrequency({ run, search, grid, counts, range }),
  });
  const end = until ?? (Math.max(now, counts.latest) as Micros);
  const bucketCount = counts.total === 0 ? 0 : grid.indexOf(end) + 1;
  requireFewBuckets(bucketCount, window);
  return {
    buckets: bucketsOf(counts, grid, bucketCount),
    totalEvents: counts.total,
    window,
    from: formatTimestamp(since),
    to: formatTimestamp(end),
  };
}

/** More types than there can be counts. */
const TYPE_STRIDE = 2 ** 20;

/** Counts by bucket and type. */
class CellCounts {
  readonly types = new Dictionary();
  /** Bucket times {@link TYPE_STRIDE} plus type, to count. */
  readonly cells = new Map<number, number>();
  total = 0;
  latest = 0;

  add(bucket: number, type: number, count: number): void {
    const cell = bucket * TYPE_STRIDE + type;
    this.cells.set(cell, (this.cells.get(cell) ?? 0) + count);
    this.total += count;
    if (this.cells.size > LIMITS.analyticsCellsMax) throw tooManyCells();
  }
}

interface TimeRange {
  readonly since: Micros;
  readonly until: Micros | null;
  readonly now: Micros;
}

/** Counts of one run that are kept in an array of buckets times types, when it needs no more entries than this. */
const DENSE_CELLS_MAX = 2 ** 18;

/** Counts the rows of one run by numbers first: names are looked up once for each type of the run, not once for each event. */
class RunFrequency implements RunTally {
  readonly #run: EventRun;
  readonly #tenant: number;
  readonly #grid: TimeGrid;
  readonly #counts: CellCounts;
  readonly #typeCount: number;
  /** The run's type numbers to those of the answer; found when they are first needed. */
  readonly #typeNumbers: Int32Array;
  readonly #allowed: Uint8Array | null;
  readonly #range: TimeRange;
  readonly #firstBucket: number;
  /** Null when the run spans too many buckets. */
  readonly #dense: Uint32Array | null;
  readonly #sparse = new Map<number, number>();

  constructor(options: {
    readonly run: EventRun;
    readonly search: RunSearch;
    readonly grid: TimeGrid;
    readonly counts: CellCounts;
    readonly range: TimeRange;
  }) {
    const { run, search, grid, range } = options;
    this.#run = run;
    this.#tenant = search.tenant;
    this.#allowed = search.types;
    this.#grid = grid;
    this.#range = range;
    this.#counts = options.counts;
    this.#typeCount = run.source.typeNames.length;
    this.#typeNumbers = new Int32Array(this.#typeCount).fill(-1);
    this.#firstBucket = grid.indexOf(micros(Math.max(run.timestampMin, range.since)));
    const lastBucket = grid.indexOf(
      micros(Math.min(run.timestampMax, range.until ?? run.timestampMax)),
    );
    const cells = (lastBucket - this.#firstBucket + 1) * this.#typeCount;
    this.#dense = cells <= DENSE_CELLS_MAX ? new Uint32Array(cells) : null;
  }

  addRows(rows: Uint32Array): void {
    const latest = this.#dense === null ? this.#addSparse(rows) : this.#addDense(rows, this.#dense);
    if (latest > this.#counts.latest) this.#counts.latest = latest;
  }

  /** Rows mostly come in the order of time, so most fall into the bucket of the row before. */
  #addDense(rows: Uint32Array, dense: Uint32Array): number {
    const { timestamps, types } = this.#run.source;
    const typeCount = this.#typeCount;
    let start = 0;
    let end = 0;
    let cells = 0;
    let latest = 0;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      const timestamp = timestamps[row] as number;
      if (timestamp < start || timestamp >= end) {
        const bucket = this.#grid.indexOf(timestamp as Micros);
        start = this.#grid.startOf(bucket);
        end = this.#grid.startOf(bucket + 1);
        cells = (bucket - this.#firstBucket) * typeCount;
      }
      const cell = cells + (types[row] as number);
      dense[cell] = (dense[cell] as number) + 1;
      if (timestamp > latest) latest = timestamp;
    }
    return latest;
  }

  #addSparse(rows: Uint32Array): number {
    const { timestamps, types } = this.#run.source;
    let latest = 0;
    for (const row of rows) {
      const timestamp = timestamps[row] as Micros;
      const bucket = this.#grid.indexOf(timestamp) - this.#firstBucket;
      const cell = bucket * this.#typeCount + (types[row] as number);
      this.#sparse.set(cell, (this.#sparse.get(cell) ?? 0) + 1);
      if (timestamp > latest) latest = timestamp;
    }
    return latest;
  }

  /** Takes it unless it has no counts by hour, or events after the present: these move the end of an open range, and only rows tell their times. */
  addDigest(digest: RunDigest): boolean {
    const { until, now } = this.#range;
    const isOpen = until === null && latestOf(digest, this.#tenant) > now;
    if (digest.hours === null || isOpen) return false;
    this.#addHours(digest.hours, digest.typeCount);
    return true;
  }

  #addHours({ hours, cells, counts }: HourCounts, typeCount: number): void {
    const firstCell = this.#tenant * typeCount;
    for (let i = 0; i < hours.length; i++) {
      const type = (cells[i] as number) - firstCell;
      if (type < 0 || type >= typeCount || this.#allowed?.[type] === 0) continue;
      const start = micros((hours[i] as number) * HOUR_MICROS);
      this.#counts.add(this.#grid.indexOf(start), this.#typeNumber(type), counts[i] as number);
    }
  }

  end(): void {
    const dense = this.#dense;
    if (dense === null) {
      for (const [cell, count] of this.#sparse) this.#addCell(cell, count);
      return;
    }
    for (let cell = 0; cell < dense.length; cell++) {
      const count = dense[cell] as number;
      if (count > 0) this.#addCell(cell, count);
    }
  }

  #addCell(cell: number, count: number): void {
    const bucket = Math.floor(cell / this.#typeCount) + this.#firstBucket;
    this.#counts.add(bucket, this.#typeNumber(cell % this.#typeCount), count);
  }

  #typeNumber(type: number): number {
    const known = this.#typeNumbers[type] as number;
    if (known !== -1) return known;
    const number = this.#counts.types.numberOf(this.#run.source.typeNames[type] as string);
    this.#typeNumbers[type] = number;
    return number;
  }
}

/** The buckets one after the other, the types of each in the order of their names. */
function* bucketsOf(
  { cells, types }: CellCounts,
  grid: TimeGrid,
  bucketCount: number,
): Generator<FrequencyBucket> {
  const ranks = ranksOf(types.names);
  const byBucket = groupedByBucket(cells, bucketCount);
  for (let bucket = 0; bucket < bucketCount; bucket++) {
    const ofBucket = byBucket
      .cells(bucket)
      .map((cell) => [cell % TYPE_STRIDE, cells.get(cell) as number] as const)
      .sort(([a], [b]) => (ranks[a] as number) - (ranks[b] as number));
    yield {
      timestamp: formatTimestamp(grid.startOf(bucket)),
      count: ofBucket.reduce((sum, [, count]) => sum + count, 0),
      event_types: Object.fromEntries(ofBucket.map(([type, count]) => [types.name(type), count])),
    };
  }
}

function ranksOf(names: readonly string[]): Uint32Array {
  const order = names.map((_, number) => number);
  order.sort((a, b) => ((names[a] as string) < (names[b] as string) ? -1 : 1));
  const ranks = new Uint32Array(names.length);
  for (const [rank, number] of order.entries()) ranks[number] = rank;
  return ranks;
}

/** A counting sort of the cells by their buckets. */
function groupedByBucket(cells: ReadonlyMap<number, number>, bucketCount: number) {
  const ends = new Uint32Array(bucketCount + 1);
  for (const cell of cells.keys()) {
    const bucket = Math.floor(cell / TYPE_STRIDE);
    ends[bucket + 1] = (ends[bucket + 1] as number) + 1;
  }
  for (let i = 1; i <= bucketCount; i++) ends[i] = (ends[i] as number) + (ends[i - 1] as number);
  const next = ends.slice();
  const sorted = new Float64Array(cells.size);
  for (const cell of cells.keys()) {
    const bucket = Math.floor(cell / TYPE_STRIDE);
    sorted[next[bucket] as number] = cell;
    next[bucket] = (next[bucket] as number) + 1;
  }
  return { cells: (bucket: number) => [...sorted.subarray(ends[bucket], ends[bucket + 1])] };
}

function requireFewBuckets(bucketCount: number, window: Window): void {
  const limit = LIMITS.analyticsBucketsMax;
  if (bucketCount <= limit) return;
  throw problem(
    'invalid_parameter',
    `This range holds ${bucketCount} buckets of one ${window}; at most ${limit} are answered. Choose a larger window or a shorter range.`,
    { parameter: 'window', bucket_count: bucketCount, limit },
  );
}

function tooManyCells() {
  const limit = LIMITS.analyticsCellsMax;
  return problem(
    'invalid_parameter',
    `This answer would hold more than ${limit} counts (event types times buckets). Name an event_type, a larger window or a shorter range.`,
    { parameter: 'window', limit },
  );
}
