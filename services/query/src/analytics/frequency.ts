import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { formatTimestamp, type Micros } from '@allsource/shared/model';
import type { EventHistory, EventSelection, RunMatch } from '../history/event-history.ts';
import { addTo, scan } from './scan.ts';
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

/** The answer in its wire shape. */
export interface Frequency {
  readonly buckets: readonly {
    readonly timestamp: string;
    readonly count: number;
    readonly event_types: Readonly<Record<string, number>>;
  }[];
  readonly total_events: number;
  readonly window: Window;
  readonly time_range: { readonly from: string; readonly to: string };
}

/**
 * Counts events by time. Buckets without events are there with a count of 0, from the one of `since` to the one of `until`; when nothing
 * matches at all there are none. Throws `invalid_parameter` when the range needs more buckets, or the types more counts, than one
 * answer may hold.
 */
export async function eventFrequency(
  history: EventHistory,
  question: FrequencyQuestion,
): Promise<Frequency> {
  const { since, until, now, window } = question;
  const grid = timeGrid({ window, since, monthStep: question.monthStep });
  requireFewBuckets(grid.indexOf(until ?? now) + 1, window);
  const tally = new Tally(grid);
  const selection = { ...question.selection, since, until: until ?? undefined };
  await scan(history, selection, (match) => tally.add(match));
  const end = until ?? (Math.max(now, tally.latest) as Micros);
  const bucketCount = tally.total === 0 ? 0 : grid.indexOf(end) + 1;
  return {
    buckets: Array.from({ length: bucketCount }, (_, index) => {
      const types = tally.buckets.get(index) ?? new Map<string, number>();
      const count = [...types.values()].reduce((sum, ofType) => sum + ofType, 0);
      const timestamp = formatTimestamp(grid.startOf(index));
      return { timestamp, count, event_types: Object.fromEntries(types) };
    }),
    total_events: tally.total,
    window,
    time_range: { from: formatTimestamp(since), to: formatTimestamp(end) },
  };
}

/** Counts by bucket and type. */
class Tally {
  readonly buckets = new Map<number, Map<string, number>>();
  total = 0;
  latest = 0;
  readonly #grid: TimeGrid;
  #cells = 0;

  constructor(grid: TimeGrid) {
    this.#grid = grid;
  }

  /** Counts the rows of one run by numbers first: names are looked up once for each bucket and type, not once for each event. */
  add({ run, rows }: RunMatch): void {
    const { timestamps, types, typeNames } = run.source;
    const counts = new Map<number, number>();
    for (const row of rows) {
      const timestamp = timestamps[row] as Micros;
      addTo(counts, this.#grid.indexOf(timestamp) * typeNames.length + (types[row] as number), 1);
      if (timestamp > this.latest) this.latest = timestamp;
    }
    this.total += rows.length;
    for (const [cell, count] of counts) {
      const type = typeNames[cell % typeNames.length] as string;
      addTo(this.#bucket(Math.floor(cell / typeNames.length), type), type, count);
    }
  }

  #bucket(index: number, type: string): Map<string, number> {
    const bucket = this.buckets.get(index) ?? new Map<string, number>();
    this.buckets.set(index, bucket);
    if (!bucket.has(type)) requireFewCells(++this.#cells);
    return bucket;
  }
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

function requireFewCells(cells: number): void {
  const limit = LIMITS.analyticsCellsMax;
  if (cells <= limit) return;
  throw problem(
    'invalid_parameter',
    `This answer would hold more than ${limit} counts (event types times buckets). Name an event_type, a larger window or a shorter range.`,
    { parameter: 'window', limit },
  );
}
