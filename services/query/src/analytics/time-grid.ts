import { type Micros, micros } from '@allsource/shared/model';

export const WINDOWS = ['minute', 'hour', 'day', 'week', 'month'] as const;
export type Window = (typeof WINDOWS)[number];

/** Time cut into buckets that follow each other without a gap. Bucket 0 is the one that holds the instant the grid was made for. */
export interface TimeGrid {
  /** The bucket that holds an instant; negative before bucket 0. */
  indexOf(instant: Micros): number;
  /** The first instant of a bucket. */
  startOf(index: number): Micros;
}

export const DAY_MICROS = 86_400_000_000;
const STEP_MICROS = {
  minute: 60_000_000,
  hour: 3_600_000_000,
  day: DAY_MICROS,
  week: 7 * DAY_MICROS,
} as const;
// The epoch was a Thursday; the first Monday came four days later.
const FIRST_MONDAY_MICROS = 4 * DAY_MICROS;
const THIRTY_DAYS_MICROS = 30 * DAY_MICROS;
/** No bucket begins much earlier: the one that holds the earliest microseconds, of 1684, begins before them, and no event is older than 1700. */
const SINCE_MIN = micros(Date.UTC(1685, 0, 1) * 1000);

/**
 * The grid of a window, with bucket 0 around `since`, or around the start of 1685 when that is later. Everything is in UTC; weeks start on Monday; months are calendar months, or with
 * `monthStep` '30d' steps of 30 days from the first day of the month of `since`.
 */
export function timeGrid(options: {
  readonly window: Window;
  readonly since: Micros;
  readonly monthStep?: 'calendar' | '30d';
}): TimeGrid {
  const { window } = options;
  const since = micros(Math.max(options.since, SINCE_MIN));
  if (window !== 'month') return steps(STEP_MICROS[window], truncated(since, window));
  const first = monthNumber(since);
  if (options.monthStep === '30d') return steps(THIRTY_DAYS_MICROS, monthStart(first));
  return {
    indexOf: (instant) => monthNumber(instant) - first,
    startOf: (index) => monthStart(first + index),
  };
}

function truncated(instant: Micros, window: Exclude<Window, 'month'>): Micros {
  const origin = window === 'week' ? FIRST_MONDAY_MICROS : 0;
  const step = STEP_MICROS[window];
  return micros(Math.floor((instant - origin) / step) * step + origin);
}

function steps(stepMicros: number, start: Micros): TimeGrid {
  return {
    indexOf: (instant) => Math.floor((instant - start) / stepMicros),
    startOf: (index) => micros(start + index * stepMicros),
  };
}

/** Months since the year 0. */
function monthNumber(instant: Micros): number {
  const date = new Date(Math.floor(instant / 1000));
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

function monthStart(month: number): Micros {
  const start = new Date(0);
  // setUTCFullYear takes years below 100 as they are; Date.UTC would add 1900 to them.
  start.setUTCFullYear(Math.floor(month / 12), month % 12, 1);
  return micros(start.getTime() * 1000);
}
