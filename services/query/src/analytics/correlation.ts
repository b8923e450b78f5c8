import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { formatTimestamp, type Micros } from '@allsource/shared/model';
import type { EventHistory, EventSelection } from '../history/event-history.ts';
import { scan } from './scan.ts';

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

interface Pair {
  readonly entity: string;
  readonly a: Micros;
  readonly b: Micros;
}

/**
 * How often events of one type have an event of another type near them: on the same entity and at most the window away, before or
 * after. Each event of type A makes at most one pair, with the nearest partner; a partner may serve several. Throws
 * `invalid_parameter` when more events match than one answer may weigh.
 */
export async function eventCorrelation(
  history: EventHistory,
  question: CorrelationQuestion,
): Promise<Correlation> {
  const { selection, typeA, typeB, windowMicros } = question;
  const ofA = await timesByEntity(history, { ...selection, type: typeA });
  const ofB = await timesByEntity(history, { ...selection, type: typeB });
  const examples: Pair[] = [];
  let pairCount = 0;
  let distanceSum = 0;
  for (const [entity, timesA] of ofA.times) {
    for (const { a, b } of nearestPairs(timesA, ofB.times.get(entity) ?? [])) {
      const distance = Math.abs(a - b);
      if (distance > windowMicros) continue;
      pairCount += 1;
      distanceSum += distance / 1_000_000;
      if (examples.length < EXAMPLES_MAX) examples.push({ entity, a, b });
    }
  }
  return {
    event_type_a: typeA,
    event_type_b: typeB,
    total_a: ofA.total,
    total_b: ofB.total,
    correlated_pairs: pairCount,
    correlation_percentage: ofA.total === 0 ? 0 : (pairCount / ofA.total) * 100,
    avg_time_between_seconds: pairCount === 0 ? 0 : distanceSum / pairCount,
    examples: examples.map(({ entity, a, b }) => ({
      entity_id: entity,
      event_a_timestamp: formatTimestamp(a),
      event_b_timestamp: formatTimestamp(b),
      time_between_seconds: Math.abs(a - b) / 1_000_000,
    })),
  };
}

async function timesByEntity(
  history: EventHistory,
  selection: EventSelection,
): Promise<{ readonly times: Map<string, Micros[]>; readonly total: number }> {
  const times = new Map<string, Micros[]>();
  let total = 0;
  await scan(history, selection, ({ run, rows }) => {
    total += rows.length;
    requireFewEvents(total, selection.type ?? '');
    for (const row of rows) {
      const entity = run.source.entityName(run.source.entities[row] as number);
      const timestamp = run.source.timestamps[row] as Micros;
      const ofEntity = times.get(entity);
      if (ofEntity === undefined) times.set(entity, [timestamp]);
      else ofEntity.push(timestamp);
    }
  });
  for (const ofEntity of times.values()) ofEntity.sort((left, right) => left - right);
  return { times, total };
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

/** Each time of `as` with the nearest of `bs`; both are sorted. */
function* nearestPairs(
  as: readonly Micros[],
  bs: readonly Micros[],
): Generator<Omit<Pair, 'entity'>> {
  let at = 0;
  for (const a of as) {
    const distance = (index: number) => Math.abs((bs[index] ?? Number.POSITIVE_INFINITY) - a);
    while (at + 1 < bs.length && distance(at + 1) <= distance(at)) at += 1;
    const b = bs[at];
    if (b !== undefined) yield { a, b };
  }
}
