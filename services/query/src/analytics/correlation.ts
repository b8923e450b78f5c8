import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { formatTimestamp, type Micros } from '@allsource/shared/model';
import type { EventSelection } from '../history/event-history.ts';
import type { EventRun } from '../history/event-run.ts';
import type { TenantNumbers } from './entity-numbers.ts';
import { EntityTimes } from './entity-times.ts';
import { scan } from './scan.ts';
import type { ScanDesk } from './scan-desk.ts';
import type { Pace } from '@allsource/service-kit/turns';

const EXAMPLES_MAX = 5;

export interface CorrelationQuestion {
  /** Tenant, time range and position; `type` is set here. */
  readonly selection: EventSelection;
  readonly typeA: string;
  readonly typeB: string;
  readonly windowMicros: number;
}

/** The answer in its wire shape. */
export interface Correlation {
  readonly event_type_a: string;
  readonly event_type_b: string;
  readonly total_a: number;
  readonly total_b: number;
  readonly correlated_pairs: number;
  /** Share of the events of type A that have a partner, 0 to 100. */
  readonly correlation_percentage: number;
  readonly avg_time_between_seconds: number;
  readonly examples: readonly {
    readonly entity_id: string;
    readonly event_a_timestamp: string;
    readonly event_b_timestamp: string;
    readonly time_between_seconds: number;
  }[];
}

/**
 * How often events of one type have an event of another type near them: on the same entity and at most the window away, before or
 * after. Each event of type A makes at most one pair, with the nearest partner, of two as near the later one; a partner may serve several. The
 * examples are the first pairs in the order of the log. Throws `invalid_parameter` when more events of type B match than one answer may weigh.
 */
export async function eventCorrelation(
  { history, numbers }: ScanDesk,
  question: CorrelationQuestion,
  pace: Pace,
): Promise<Correlation> {
  const { selection, typeA, typeB, windowMicros } = question;
  const entities = numbers.ofTenant(selection.tenant);
  const ofB = await timesOf(entities, question, { history, pace });
  const pairs = new Pairs(ofB, windowMicros);
  await scan({
    history,
    selection: { ...selection, type: typeA },
    pace,
    digests: null,
    begin: async (run) => {
      const runNumbers = await entities.of(run, pace);
      return { addRows: (rows) => pairs.addRows(run, rows, runNumbers) };
    },
  });
  const { total, count, distanceSum, examples } = pairs;
  return {
    event_type_a: typeA,
    event_type_b: typeB,
    total_a: total,
    total_b: ofB.size,
    correlated_pairs: count,
    correlation_percentage: total === 0 ? 0 : (count / total) * 100,
    avg_time_between_seconds: count === 0 ? 0 : distanceSum / count / 1_000_000,
    examples: examples.map(({ entity, a, b }) => ({
      entity_id: entity,
      event_a_timestamp: formatTimestamp(a),
      event_b_timestamp: formatTimestamp(b),
      time_between_seconds: Math.abs(a - b) / 1_000_000,
    })),
  };
}

async function timesOf(
  entities: TenantNumbers,
  { selection, typeB }: CorrelationQuestion,
  { history, pace }: { readonly history: ScanDesk['history']; readonly pace: Pace },
): Promise<EntityTimes> {
  const times = new EntityTimes();
  await scan({
    history,
    selection: { ...selection, type: typeB },
    pace,
    digests: null,
    begin: async (run) => {
      const numbers = await entities.of(run, pace);
      const { source } = run;
      return {
        addRows: (rows) => {
          requireFewEvents(times.size + rows.length, typeB);
          times.add(rows, { numbers, ...columnsOf(source) });
        },
      };
    },
  });
  await times.sort(entities.count, pace);
  return times;
}

function columnsOf({ entities, timestamps }: EventRun['source']) {
  return { entities, timestamps };
}

function requireFewEvents(total: number, type: string): void {
  const limit = LIMITS.correlationEventsMax;
  if (total <= limit) return;
  throw problem(
    'invalid_parameter',
    `More than ${limit} events of type '${type}' match; at most ${limit} are weighed. Name a shorter range.`,
    { parameter: 'since', limit },
  );
}

interface Pair {
  readonly entity: string;
  readonly a: Micros;
  readonly b: Micros;
}

/** Pairs events of type A, as they come, with the events of type B. */
class Pairs {
  total = 0;
  count = 0;
  /** Microseconds. */
  distanceSum = 0;
  readonly examples: Pair[] = [];
  readonly #partners: EntityTimes;
  readonly #windowMicros: number;

  constructor(partners: EntityTimes, windowMicros: number) {
    this.#partners = partners;
    this.#windowMicros = windowMicros;
  }

  addRows(run: EventRun, rows: Uint32Array, numbers: Uint32Array): void {
    const { entities, timestamps } = run.source;
    this.total += rows.length;
    for (const row of rows) {
      const a = timestamps[row] as Micros;
      const entity = entities[row] as number;
      const b = this.#partners.nearest(numbers[entity] as number, a);
      const distance = Math.abs(b - a);
      // An entity without partners has none at a finite time.
      if (!(distance <= this.#windowMicros)) continue;
      this.count += 1;
      this.distanceSum += distance;
      if (this.examples.length === EXAMPLES_MAX) continue;
      this.examples.push({ entity: run.source.entityName(entity), a, b: b as Micros });
    }
  }
}
