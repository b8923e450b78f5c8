/** What the analytics should answer, computed in the plainest way from a list of all events. */
import { formatTimestamp, micros } from '@allsource/shared/model';

export interface PlainEvent {
  readonly tenant: string;
  readonly type: string;
  readonly entity: string;
  /** Milliseconds. */
  readonly at: number;
}

export interface PlainSelection {
  readonly tenant: string;
  readonly entity?: string | undefined;
  readonly type?: string | undefined;
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
}

export function chosen(events: readonly PlainEvent[], wanted: PlainSelection): PlainEvent[] {
  return events.filter(
    (event) =>
      event.tenant === wanted.tenant &&
      (wanted.entity === undefined || event.entity === wanted.entity) &&
      (wanted.type === undefined || event.type === wanted.type) &&
      (wanted.sinceMs === undefined || event.at >= wanted.sinceMs) &&
      (wanted.untilMs === undefined || event.at <= wanted.untilMs),
  );
}

const shown = (ms: number) => formatTimestamp(micros(ms * 1000));
const instant = (ms: number | undefined) => (ms === undefined ? null : shown(ms));
const DAY_MS = 86_400_000;

/** The start of the window that holds an instant, by the calendar of the Date object. */
function windowStart(ms: number, window: string): number {
  const date = new Date(ms);
  const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate()];
  if (window === 'minute') return Math.floor(ms / 60_000) * 60_000;
  if (window === 'hour') return Math.floor(ms / 3_600_000) * 3_600_000;
  if (window === 'day') return Date.UTC(year, month, day);
  if (window === 'week') return Date.UTC(year, month, day - ((date.getUTCDay() + 6) % 7));
  return Date.UTC(year, month, 1);
}

function nextStart(start: number, window: string): number {
  const date = new Date(start);
  if (window === 'month') return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
  const steps: Record<string, number> = { minute: 60_000, hour: 3_600_000, day: DAY_MS };
  return start + (steps[window] ?? 7 * DAY_MS);
}

export function naiveBuckets(
  events: readonly PlainEvent[],
  wanted: PlainSelection & { readonly sinceMs: number; readonly untilMs: number },
  window: string,
) {
  const own = chosen(events, wanted);
  if (own.length === 0) return [];
  const byStart = Map.groupBy(own, (event) => windowStart(event.at, window));
  const buckets = [];
  const last = windowStart(wanted.untilMs, window);
  for (let at = windowStart(wanted.sinceMs, window); at <= last; at = nextStart(at, window)) {
    const inside = byStart.get(at) ?? [];
    const types = [...countsOf(inside, (event) => event.type)].sort(([a], [b]) => (a < b ? -1 : 1));
    const event_types = Object.fromEntries(types);
    buckets.push({ timestamp: shown(at), count: inside.length, event_types });
  }
  return buckets;
}

export function naiveSummary(events: readonly PlainEvent[], wanted: PlainSelection) {
  const own = chosen(events, wanted);
  const times = own.map((event) => event.at);
  const first = times.length === 0 ? undefined : times.reduce((a, b) => Math.min(a, b));
  const last = times.length === 0 ? undefined : times.reduce((a, b) => Math.max(a, b));
  const from = wanted.sinceMs ?? first;
  const to = wanted.untilMs ?? last;
  const days = from === undefined || to === undefined ? 1 : Math.max(1, (to - from) / DAY_MS);
  const types = countsOf(own, (event) => event.type);
  const entities = countsOf(own, (event) => event.entity);
  return {
    total_events: own.length,
    unique_entities: entities.size,
    unique_event_types: types.size,
    time_range: { from: instant(from), to: instant(to) },
    events_per_day: own.length / days,
    top_event_types: top(types).map(([event_type, count]) => ({
      event_type,
      count,
      percentage: (count / own.length) * 100,
    })),
    top_entities: top(entities).map(([entity_id, count]) => ({
      entity_id,
      count,
      percentage: (count / own.length) * 100,
    })),
    first_event: instant(first),
    last_event: instant(last),
  };
}

export function naiveCorrelation(
  events: readonly PlainEvent[],
  wanted: PlainSelection,
  { typeA, typeB, windowMs }: { typeA: string; typeB: string; windowMs: number },
) {
  const ofA = chosen(events, { ...wanted, type: typeA });
  const byEntity = Map.groupBy(chosen(events, { ...wanted, type: typeB }), (event) => event.entity);
  const pairs = ofA.flatMap((a) => {
    const partners = (byEntity.get(a.entity) ?? []).map((b) => b.at);
    // The nearest; of two as near the later one.
    const [b] = partners.sort((x, y) => Math.abs(x - a.at) - Math.abs(y - a.at) || y - x);
    return b === undefined || Math.abs(b - a.at) > windowMs ? [] : [{ a, b }];
  });
  return {
    total_a: ofA.length,
    total_b: [...byEntity.values()].flat().length,
    correlated_pairs: pairs.length,
    seconds: pairs.reduce((sum, { a, b }) => sum + Math.abs(a.at - b), 0) / 1000,
    examples: pairs.slice(0, 5).map(({ a, b }) => ({
      entity_id: a.entity,
      event_a_timestamp: shown(a.at),
      event_b_timestamp: shown(b),
      time_between_seconds: Math.abs(a.at - b) / 1000,
    })),
  };
}

function countsOf(
  events: readonly PlainEvent[],
  keyOf: (event: PlainEvent) => string,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const event of events) counts.set(keyOf(event), (counts.get(keyOf(event)) ?? 0) + 1);
  return counts;
}

function top(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts]
    .sort((a, b) => b[1] - a[1] || Buffer.compare(Buffer.from(a[0]), Buffer.from(b[0])))
    .slice(0, 10);
}
