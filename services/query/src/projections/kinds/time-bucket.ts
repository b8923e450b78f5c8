export const BUCKETS = ['minute', 'hour', 'day', 'week', 'month'] as const;
export type Bucket = (typeof BUCKETS)[number];

const DAY_MS = 86_400_000;
const STEP_MS = { minute: 60_000, hour: 3_600_000, day: DAY_MS, week: 7 * DAY_MS } as const;
// The epoch was a Thursday; the first Monday came four days later.
const FIRST_MONDAY_MS = 4 * DAY_MS;

/** Names the bucket of an instant by its first one, such as 2026-11-21T10:00:00Z: in UTC, weeks begin on Monday, months are those of the calendar. */
export class TimeBuckets {
  readonly #bucket: Bucket;
  // Events that follow each other mostly share a bucket.
  #last: { readonly startMs: number; readonly endMs: number; readonly name: string } | null = null;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  /** The bucket of an instant in microseconds. */
  nameOf(timestamp: number): string {
    const ms = Math.floor(timestamp / 1000);
    const last = this.#last;
    if (last !== null && ms >= last.startMs && ms < last.endMs) return last.name;
    const [startMs, endMs] = boundsOf(this.#bucket, ms);
    const name = `${new Date(startMs).toISOString().slice(0, -5)}Z`;
    this.#last = { startMs, endMs, name };
    return name;
  }
}

function boundsOf(bucket: Bucket, ms: number): [number, number] {
  if (bucket === 'month') return [monthStart(ms, 0), monthStart(ms, 1)];
  const step = STEP_MS[bucket];
  const origin = bucket === 'week' ? FIRST_MONDAY_MS : 0;
  const start = Math.floor((ms - origin) / step) * step + origin;
  return [start, start + step];
}

function monthStart(ms: number, later: number): number {
  const date = new Date(ms);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + later, 1);
}
