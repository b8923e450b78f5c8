export const BUCKETS = ['minute', 'hour', 'day', 'week', 'month'] as const;
export type Bucket = (typeof BUCKETS)[number];

const DAY_MS = 86_400_000;
const STEP_MS = { minute: 60_000, hour: 3_600_000, day: DAY_MS, week: 7 * DAY_MS } as const;
// The epoch was a Thursday; the first Monday came four days later.
const FIRST_MONDAY_MS = 4 * DAY_MS;

/** Time cut into buckets, each of which is known by its first millisecond: in UTC, weeks begin on Monday, months are those of the calendar. */
export class TimeBuckets {
  readonly #bucket: Bucket;
  // Events that follow each other mostly share a bucket.
  #last = { startMs: 0, endMs: 0, name: '' };

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  /** The bucket of an instant in microseconds. */
  startOf(timestamp: number): number {
    const ms = Math.floor(timestamp / 1000);
    const { startMs, endMs } = this.#last;
    if (ms < startMs || ms >= endMs) this.#take(this.#later(ms, 0));
    return this.#last.startMs;
  }

  /** The name of a bucket: its first instant, such as 2026-11-21T10:00:00Z. */
  nameOf(startMs: number): string {
    return startMs === this.#last.startMs && this.#last.name !== ''
      ? this.#last.name
      : printed(startMs);
  }

  /** The bucket so many before another one. */
  before(startMs: number, buckets: number): number {
    return this.#later(startMs, -buckets);
  }

  /** The bucket behind another one. */
  after(startMs: number): number {
    return this.#later(startMs, 1);
  }

  #take(startMs: number): void {
    this.#last = { startMs, endMs: this.#later(startMs, 1), name: printed(startMs) };
  }

  /** The bucket so many behind the one of an instant. */
  #later(ms: number, buckets: number): number {
    const bucket = this.#bucket;
    if (bucket === 'month') {
      const date = new Date(ms);
      return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + buckets, 1);
    }
    const step = STEP_MS[bucket];
    const origin = bucket === 'week' ? FIRST_MONDAY_MS : 0;
    return (Math.floor((ms - origin) / step) + buckets) * step + origin;
  }
}

function printed(startMs: number): string {
  return `${new Date(startMs).toISOString().slice(0, -5)}Z`;
}
