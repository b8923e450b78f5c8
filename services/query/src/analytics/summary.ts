import { formatTimestamp, type Micros } from '@allsource/shared/model';
import type { EventHistory, EventSelection, RunMatch } from '../history/event-history.ts';
import { addTo, scan } from './scan.ts';
import { DAY_MICROS } from './time-grid.ts';

const TOP_MAX = 10;

interface Ranked {
  readonly count: number;
  /** Share of all events, 0 to 100. */
  readonly percentage: number;
}

/** The answer in its wire shape. */
export interface Summary {
  readonly total_events: number;
  readonly unique_entities: number;
  readonly unique_event_types: number;
  readonly time_range: { readonly from: string | null; readonly to: string | null };
  readonly events_per_day: number;
  readonly top_event_types: readonly (Ranked & { readonly event_type: string })[];
  readonly top_entities: readonly (Ranked & { readonly entity_id: string })[];
  readonly first_event: string | null;
  readonly last_event: string | null;
}

/**
 * Counts the events of a selection by type and by entity. The unique counts are exact; the tops hold at most ten rows, equal counts in
 * the order of their names. The range is the one asked for, or where open that of the events found; a range shorter than a day counts
 * as one day for `events_per_day`.
 */
export async function eventSummary(
  history: EventHistory,
  selection: EventSelection,
): Promise<Summary> {
  const tally = new Tally();
  await scan(history, selection, (match) => tally.add(match));
  const { total, types, entities, first, last } = tally;
  const from = selection.since ?? first;
  const to = selection.until ?? last;
  return {
    total_events: total,
    unique_entities: entities.size,
    unique_event_types: types.size,
    time_range: { from: formatted(from), to: formatted(to) },
    events_per_day: total / daysBetween(from, to),
    top_event_types: top(types, total).map(([event_type, rank]) => ({ event_type, ...rank })),
    top_entities: top(entities, total).map(([entity_id, rank]) => ({ entity_id, ...rank })),
    first_event: formatted(first),
    last_event: formatted(last),
  };
}

class Tally {
  readonly types = new Map<string, number>();
  readonly entities = new Map<string, number>();
  total = 0;
  first: Micros | null = null;
  last: Micros | null = null;

  /** Counts the rows of one run by numbers first: a name is looked up once for each run, not once for each event. */
  add({ run, rows }: RunMatch): void {
    const { source } = run;
    const byType = new Uint32Array(source.typeNames.length);
    const byEntity = new Map<number, number>();
    for (const row of rows) {
      const type = source.types[row] as number;
      byType[type] = (byType[type] as number) + 1;
      addTo(byEntity, source.entities[row] as number, 1);
      const timestamp = source.timestamps[row] as Micros;
      if (this.first === null || timestamp < this.first) this.first = timestamp;
      if (this.last === null || timestamp > this.last) this.last = timestamp;
    }
    this.total += rows.length;
    for (const [type, count] of byType.entries())
      if (count > 0) addTo(this.types, source.typeNames[type] as string, count);
    for (const [entity, count] of byEntity) addTo(this.entities, source.entityName(entity), count);
  }
}

function formatted(instant: Micros | null): string | null {
  return instant === null ? null : formatTimestamp(instant);
}

function daysBetween(from: Micros | null, to: Micros | null): number {
  return from === null || to === null ? 1 : Math.max(1, (to - from) / DAY_MICROS);
}

function top(counts: ReadonlyMap<string, number>, total: number): [string, Ranked][] {
  const best: [string, number][] = [];
  for (const row of counts) {
    const last = best[TOP_MAX - 1];
    if (last !== undefined && compareRows(row, last) >= 0) continue;
    const place = best.findIndex((other) => compareRows(row, other) < 0);
    best.splice(place === -1 ? best.length : place, 0, row);
    best.length = Math.min(best.length, TOP_MAX);
  }
  return best.map(([name, count]) => [name, { count, percentage: (count / total) * 100 }]);
}

function compareRows(left: readonly [string, number], right: readonly [string, number]): number {
  if (left[1] !== right[1]) return right[1] - left[1];
  return left[0] < right[0] ? -1 : 1;
}
