import { setImmediate as nextTurn } from 'node:timers/promises';
import { LIMITS } from '@allsource/shared/limits';
import { type Clock, formatTimestamp, type Micros } from '@allsource/shared/model';
import type { EventSelection } from '../history/event-history.ts';
import type { CountedHistory } from './count-matching.ts';
import type { ReplayRecord } from './replay-record.ts';

const TYPES_MAX = 1_000;
const ENTITIES_MAX = 10;

/** A projection as a preview describes it: one of the store fits, and one of a tenant's own. */
export interface AnalysedProjection {
  readonly name: string;
  readonly title: string;
  readonly kind: string;
  readonly keyedBy: 'entity' | 'type';
  /** Where it comes from, in a sentence; of the store itself unless said otherwise. */
  readonly origin?: string;
  /** True for the event types that it folds; all unless said otherwise. */
  readonly matches?: (eventType: string) => boolean;
}

export interface AnalysisOptions extends CountedHistory {
  readonly tenant: string;
  readonly projection: AnalysedProjection;
  readonly clock: Clock;
  /** The replay that holds up another one, if there is one. */
  readonly underWay: ReplayRecord | null;
}

interface Check {
  readonly key: string;
  readonly label: string;
  readonly status: 'pass' | 'fail';
  readonly detail: string;
}

/** What a replay of a projection would read, in its wire shape. Counts are exact; the sample is of the oldest events. */
export async function analyseReplay(options: AnalysisOptions): Promise<object> {
  const { tenant, projection, clock, catalog, underWay } = options;
  const known = catalog.tenant(tenant);
  const { matches = () => true } = projection;
  const total = known.eventCountOf(matches);
  const sample = await sampleOldest(options);
  const { rows: every } = await known.types({ offset: 0, limit: TYPES_MAX });
  const types = every.filter(({ type }) => matches(type));
  const newest = await known.entities('desc', { offset: 0, limit: 1 });
  const [last] = newest.rows;
  const checks = checksOf(options, total);
  return {
    projection_name: projection.name,
    projection_title: projection.title,
    projection_kind: projection.kind,
    projection_status: underWay === null ? 'running' : 'rebuilding',
    current_entity_count: projection.keyedBy === 'entity' ? known.entityCount : types.length,
    total_events: total,
    sampled_events: sample.events,
    analysis_scope: sample.events >= total ? 'full' : 'sample',
    event_type_distribution: types.map(({ type, eventCount }) => ({
      event_type: type,
      count: eventCount,
      share: total === 0 ? 0 : eventCount / total,
    })),
    sampled_entity_count: sample.entities.size,
    sampled_entities: [...sample.entities]
      .map((entity_id) => ({ entity_id, event_count: known.entityEventCount(entity_id) }))
      .toSorted((a, b) => b.event_count - a.event_count)
      .slice(0, ENTITIES_MAX),
    first_event_at: sample.first === null ? null : formatTimestamp(sample.first),
    last_event_at: last === undefined ? null : formatTimestamp(last.lastTimestamp),
    analyzed_at: formatTimestamp(clock.nowMicros()),
    ready_to_replay: checks.every(({ status }) => status === 'pass'),
    checks,
    warnings: warningsOf(sample.events, total),
  };
}

function checksOf({ underWay, projection }: AnalysisOptions, total: number): Check[] {
  return [
    {
      key: 'projection_known',
      label: 'The projection is there',
      status: 'pass',
      detail: projection.origin ?? 'It is a projection of the store itself.',
    },
    {
      key: 'no_replay_under_way',
      label: 'No other replay of it is under way',
      status: underWay === null ? 'pass' : 'fail',
      detail:
        underWay === null
          ? 'None is.'
          : `The replay ${underWay.id} has not ended (${underWay.status}).`,
    },
    {
      key: 'events_readable',
      label: 'The events are in the history',
      status: 'pass',
      detail: `${total} events.`,
    },
  ];
}

function warningsOf(sampled: number, total: number): string[] {
  if (total === 0) return ['There are no events; a replay leaves an empty projection.'];
  if (sampled >= total) return [];
  return [
    `Entities and the first instant were looked for in the oldest ${sampled} of ${total} events only.`,
  ];
}

interface Sample {
  readonly events: number;
  readonly entities: ReadonlySet<string>;
  readonly first: Micros | null;
}

async function sampleOldest({ history, tenant, projection }: AnalysisOptions): Promise<Sample> {
  const { matches = () => true } = projection;
  const limit = LIMITS.replaySampleEventsMax;
  const selection: EventSelection = { tenant, untilPosition: history.appliedPosition };
  const entities = new Set<string>();
  let events = 0;
  let first: Micros | null = null;
  for (const { run, rows } of history.matches(selection)) {
    const { source } = run;
    const wanted = source.typeNames.map(matches);
    const some = rows
      .filter((row) => wanted[source.types[row] as number] === true)
      .subarray(0, limit - events);
    const numbers = new Set<number>();
    for (const row of some) {
      numbers.add(source.entities[row] as number);
      const timestamp = source.timestamps[row] as Micros;
      if (first === null || timestamp < first) first = timestamp;
    }
    for (const number of numbers) entities.add(source.entityName(number));
    events += some.length;
    if (events >= limit) break;
    await nextTurn();
  }
  return { events, entities, first };
}
