/** Counts over time, by type and by entity. */
import {
  instant,
  list,
  number,
  object,
  oneOf,
  orNull,
  record,
  text,
  whole,
} from '../json-schema.ts';
import { ENTITY, EVENT_TYPE, FRESHNESS, parameter, required, SINCE, UNTIL } from '../parameters.ts';
import { answer, type RouteDocs } from '../route-doc.ts';

const SECONDS_MAX = 100 * 366 * 86_400;
const ERRORS = [
  'invalid_parameter',
  'query_budget_exceeded',
  'read_behind',
  'position_beyond_head',
  'read_store_damaged',
  'overloaded',
  'upstream_unavailable',
  'not_available',
] as const;
const RANGE = object({ from: orNull(instant()), to: orNull(instant()) });
const RANKED = { count: whole(), percentage: number() };

export const ANALYTICS: RouteDocs = {
  'GET /analytics/frequency': {
    id: 'eventFrequency',
    tag: 'Analytics',
    query: {
      since: { ...SINCE, required: true },
      until: UNTIL,
      window: required(
        'The length of a bucket.',
        oneOf(['minute', 'hour', 'day', 'week', 'month']),
        'month',
      ),
      month_step: parameter(
        'Months of the calendar, or 30 days.',
        oneOf(['calendar', '30d']),
        'calendar',
      ),
      entity_id: ENTITY,
      event_type: EVENT_TYPE,
      ...FRESHNESS,
    },
    answers: {
      200: answer(
        'The counts.',
        object({
          buckets: list(
            object({ timestamp: instant(), count: whole(), event_types: record(whole()) }),
          ),
          total_events: whole(),
          window: text(),
          time_range: RANGE,
        }),
      ),
    },
    errors: ERRORS,
  },
  'GET /analytics/summary': {
    id: 'eventSummary',
    tag: 'Analytics',
    query: {
      since: SINCE,
      until: UNTIL,
      entity_id: ENTITY,
      event_type: EVENT_TYPE,
      ...FRESHNESS,
    },
    answers: {
      200: answer(
        'The counts.',
        object({
          total_events: whole(),
          unique_entities: whole(),
          unique_event_types: whole(),
          time_range: RANGE,
          events_per_day: number(),
          top_event_types: list(object({ event_type: text(), ...RANKED })),
          top_entities: list(object({ entity_id: text(), ...RANKED })),
          first_event: orNull(instant()),
          last_event: orNull(instant()),
        }),
      ),
    },
    errors: ERRORS,
  },
  'GET /analytics/correlation': {
    id: 'eventCorrelation',
    tag: 'Analytics',
    query: {
      event_type_a: required('The one type.', text(), 'order.placed'),
      event_type_b: required('The other type.', text(), 'order.paid'),
      time_window_seconds: required(
        'How far apart two events may be to make a pair.',
        whole(undefined, { max: SECONDS_MAX }),
        3600,
      ),
      since: SINCE,
      until: UNTIL,
      ...FRESHNESS,
    },
    answers: {
      200: answer(
        'The pairs.',
        object({
          event_type_a: text(),
          event_type_b: text(),
          total_a: whole(),
          total_b: whole(),
          correlated_pairs: whole(),
          correlation_percentage: number(),
          avg_time_between_seconds: number(),
          examples: list(
            object({
              entity_id: text(),
              event_a_timestamp: instant(),
              event_b_timestamp: instant(),
              time_between_seconds: number(),
            }),
          ),
        }),
      ),
    },
    errors: ERRORS,
  },
};
