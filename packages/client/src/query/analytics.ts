import { isRecord } from '../http/is-record.ts';
import {
  listMember,
  numberMember,
  optionalNumber,
  optionalText,
  textMember,
  type WireObject,
} from '../http/wire.ts';
import type { Instant } from '../events/instant.ts';

export interface FrequencyParams {
  readonly since: Instant;
  readonly window: 'minute' | 'hour' | 'day' | 'week' | 'month';
  readonly until?: Instant | undefined;
  readonly entityId?: string | undefined;
  readonly eventType?: string | undefined;
}

/** Events by time. Windows without events are there with a count of 0. */
export interface Frequency {
  readonly buckets: readonly {
    readonly timestamp: string;
    readonly count: number;
    readonly eventTypes: Readonly<Record<string, number>>;
  }[];
  readonly totalEvents: number;
}

export interface SummaryParams {
  readonly entityId?: string | undefined;
  readonly eventType?: string | undefined;
  readonly since?: Instant | undefined;
  readonly until?: Instant | undefined;
}

/** What there is, in figures. */
export interface EventSummary {
  readonly totalEvents: number;
  readonly uniqueEntities: number;
  readonly uniqueEventTypes: number;
  readonly eventsPerDay: number;
  readonly topEventTypes: readonly Share<'eventType'>[];
  readonly topEntities: readonly Share<'entityId'>[];
}

/** How many of the events fall to one name. */
export type Share<Name extends string> = Readonly<Record<Name, string>> & {
  readonly count: number;
  readonly percentage: number;
};

export interface CorrelationParams {
  readonly eventTypeA: string;
  readonly eventTypeB: string;
  readonly timeWindowSeconds: number;
  readonly since?: Instant | undefined;
  readonly until?: Instant | undefined;
}

/** How often two event types occur at one entity within a time. */
export interface Correlation {
  readonly totalA: number;
  readonly totalB: number;
  readonly correlatedPairs: number;
  readonly correlationPercentage: number;
  readonly avgTimeBetweenSeconds: number | null;
  readonly examples: readonly {
    readonly entityId: string;
    readonly eventATimestamp: string;
    readonly eventBTimestamp: string;
    readonly timeBetweenSeconds: number;
  }[];
}

/** Reads the answer of `GET /api/v1/analytics/frequency`. */
export function parseFrequency(answer: WireObject): Frequency {
  return {
    buckets: listMember(answer, 'buckets').map((row) => ({
      timestamp: textMember(row, 'timestamp'),
      count: numberMember(row, 'count'),
      eventTypes: numbersIn(row['event_types']),
    })),
    totalEvents: numberMember(answer, 'total_events'),
  };
}

function numbersIn(value: unknown): Record<string, number> {
  const numbers: Record<string, number> = {};
  for (const [name, count] of Object.entries(isRecord(value) ? value : {}))
    if (typeof count === 'number') numbers[name] = count;
  return numbers;
}

/** Reads the answer of `GET /api/v1/analytics/summary`. */
export function parseSummary(answer: WireObject): EventSummary {
  return {
    totalEvents: numberMember(answer, 'total_events'),
    uniqueEntities: numberMember(answer, 'unique_entities'),
    uniqueEventTypes: numberMember(answer, 'unique_event_types'),
    eventsPerDay: numberMember(answer, 'events_per_day'),
    topEventTypes: listMember(answer, 'top_event_types').map((row) => ({
      eventType: textMember(row, 'event_type'),
      ...shareOf(row),
    })),
    topEntities: listMember(answer, 'top_entities').map((row) => ({
      entityId: textMember(row, 'entity_id'),
      ...shareOf(row),
    })),
  };
}

function shareOf(row: WireObject): { count: number; percentage: number } {
  return { count: numberMember(row, 'count'), percentage: numberMember(row, 'percentage') };
}

/** Reads the answer of `GET /api/v1/analytics/correlation`. */
export function parseCorrelation(answer: WireObject): Correlation {
  return {
    totalA: numberMember(answer, 'total_a'),
    totalB: numberMember(answer, 'total_b'),
    correlatedPairs: numberMember(answer, 'correlated_pairs'),
    correlationPercentage: numberMember(answer, 'correlation_percentage'),
    avgTimeBetweenSeconds: optionalNumber(answer, 'avg_time_between_seconds'),
    examples: listMember(answer, 'examples').map((row) => ({
      entityId: textMember(row, 'entity_id'),
      eventATimestamp: optionalText(row, 'event_a_timestamp') ?? '',
      eventBTimestamp: optionalText(row, 'event_b_timestamp') ?? '',
      timeBetweenSeconds: numberMember(row, 'time_between_seconds'),
    })),
  };
}
