import { formatTimestamp, type Micros } from '@allsource/shared/model';
import type { EventSelection } from '../history/event-history.ts';
import type { EventRun } from '../history/event-run.ts';
import type { TenantNumbers } from './entity-numbers.ts';
import type { EntityCountLists, EntityCounts } from './entity-counts.ts';
import { cellsOf, type RunDigest } from './run-digest.ts';
import type { RunSearch } from './run-search.ts';
import { addTo, type RunTally, scan } from './scan.ts';
import type { ScanDesk } from './scan-desk.ts';
import type { Pace } from '@allsource/service-kit/turns';
import { DAY_MICROS } from './time-grid.ts';
import { type CountedRun, topEntities } from './top-entities.ts';

export const TOP_MAX = 10;

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
  { history, digests, numbers, counts }: ScanDesk,
  selection: EventSelection,
  pace: Pace,
): Promise<Summary> {
  const entities = numbers.ofTenant(selection.tenant);
  const tally = new Tally(entities);
  const runs: CountedRun[] = [];
  await scan({
    history,
    selection,
    pace,
    digests,
    begin: async (run, search) => {
      const runNumbers = await entities.of(run, pace);
      const counted = { run, numbers: runNumbers, tenant: search.tenant };
      runs.push(counted);
      return new RunSummary({ tally, ...counted, search, counts, pace });
    },
  });
  const { total, types, first, last } = tally;
  const { unique, top } = await topEntities({
    counts: tally.entities,
    runs,
    pace,
    topMax: TOP_MAX,
  });
  const from = selection.since ?? first;
  const to = selection.until ?? last;
  const ranked = (count: number): Ranked => ({ count, percentage: (count / total) * 100 });
  return {
    total_events: total,
    unique_entities: unique,
    unique_event_types: types.size,
    time_range: { from: formatted(from), to: formatted(to) },
    events_per_day: total / daysBetween(from, to),
    top_event_types: topTypes(types).map(([event_type, count]) => ({
      event_type,
      ...ranked(count),
    })),
    top_entities: top.map(({ entity, count }) => ({ entity_id: entity, ...ranked(count) })),
    first_event: formatted(first),
    last_event: formatted(last),
  };
}

class Tally {
  readonly types = new Map<string, number>();
  /** Entity number to count. */
  entities = new Uint32Array(0);
  total = 0;
  first: Micros | null = null;
  last: Micros | null = null;
  readonly #numbers: TenantNumbers;

  constructor(numbers: TenantNumbers) {
    this.#numbers = numbers;
  }

  /** The counts by entity, with room for all entities that have numbers. */
  entityCounts(): Uint32Array {
    const { count } = this.#numbers;
    if (count > this.entities.length) {
      const larger = new Uint32Array(Math.max(count, this.entities.length * 2));
      larger.set(this.entities);
      this.entities = larger;
    }
    return this.entities;
  }

  addTimes(first: number, last: number): void {
    if (this.first === null || first < this.first) this.first = first as Micros;
    if (this.last === null || last > this.last) this.last = last as Micros;
  }
}

interface SummarizedRun extends CountedRun {
  readonly tally: Tally;
  readonly search: RunSearch;
  readonly counts: EntityCountLists;
  readonly pace: Pace;
}

/** Counts the rows of one run by numbers first: the name of a type is looked up once for each run, that of an entity not at all. */
class RunSummary implements RunTally {
  readonly #tally: Tally;
  readonly #run: EventRun;
  readonly #numbers: Uint32Array;
  readonly #search: RunSearch;
  readonly #types: Uint32Array;
  readonly #lists: EntityCountLists;
  readonly #pace: Pace;

  constructor({ tally, run, numbers, search, counts, pace }: SummarizedRun) {
    this.#tally = tally;
    this.#run = run;
    this.#numbers = numbers;
    this.#search = search;
    this.#types = new Uint32Array(run.source.typeNames.length);
    this.#lists = counts;
    this.#pace = pace;
  }

  addRows(rows: Uint32Array): void {
    const { types, entities, timestamps } = this.#run.source;
    const numbers = this.#numbers;
    const typeCounts = this.#types;
    const counts = this.#tally.entityCounts();
    let first = Number.POSITIVE_INFINITY;
    let last = Number.NEGATIVE_INFINITY;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      const type = types[row] as number;
      const number = numbers[entities[row] as number] as number;
      const timestamp = timestamps[row] as number;
      typeCounts[type] = (typeCounts[type] as number) + 1;
      counts[number] = (counts[number] as number) + 1;
      if (timestamp < first) first = timestamp;
      if (timestamp > last) last = timestamp;
    }
    this.#tally.total += rows.length;
    this.#tally.addTimes(first, last);
  }

  async addDigest(digest: RunDigest): Promise<boolean> {
    const { tenant, types } = this.#search;
    const type = types === null ? null : types.indexOf(1);
    const counted = { run: this.#run, numbers: this.#numbers, search: this.#search, digest, type };
    this.#addEntities(await this.#lists.of(counted, this.#pace));
    const { start, end } = cellsOf(digest, { tenant, type });
    for (let cell = start; cell < end; cell++) {
      const count = digest.cellCounts[cell] as number;
      if (count === 0) continue;
      this.#types[cell - tenant * digest.typeCount] = count;
      this.#tally.total += count;
      this.#tally.addTimes(
        digest.timestampMins[cell] as number,
        digest.timestampMaxs[cell] as number,
      );
    }
    return true;
  }

  #addEntities({ numbers, counts }: EntityCounts): void {
    const sums = this.#tally.entityCounts();
    for (let i = 0; i < numbers.length; i++) {
      const number = numbers[i] as number;
      sums[number] = (sums[number] as number) + (counts[i] as number);
    }
  }

  end(): void {
    const { typeNames } = this.#run.source;
    for (let type = 0; type < this.#types.length; type++) {
      const count = this.#types[type] as number;
      if (count > 0) addTo(this.#tally.types, typeNames[type] as string, count);
    }
  }
}

function formatted(instant: Micros | null): string | null {
  return instant === null ? null : formatTimestamp(instant);
}

function daysBetween(from: Micros | null, to: Micros | null): number {
  return from === null || to === null ? 1 : Math.max(1, (to - from) / DAY_MICROS);
}

function topTypes(counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts]
    .sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
    .slice(0, TOP_MAX);
}
