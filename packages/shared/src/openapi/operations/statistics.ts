/** Statistics over a numeric field of payloads, and over windows and sessions of events. */
import { LIMITS } from '../../limits/limits.ts';
import { instant, list, number, object, orNull, record, text, whole } from '../json-schema.ts';
import { ENTITY, EVENT_TYPE, FRESHNESS, parameter, required, SINCE, UNTIL } from '../parameters.ts';
import { answer, type RouteDocs } from '../route-doc.ts';

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
const SECONDS = whole(undefined, { min: 1, max: 100 * 366 * 86_400 });
const SELECTION = {
  since: SINCE,
  until: UNTIL,
  entity_id: ENTITY,
  event_type: EVENT_TYPE,
  ...FRESHNESS,
};
const FIELD = required('A numeric field of payloads.', text(), 'amount');
const VALUE = orNull(number());
const FACTS = {
  field: text(),
  count: whole('Events that have a number there.'),
  skipped: whole('Events meant that have none.'),
  min: VALUE,
  max: VALUE,
};

export const STATISTICS: RouteDocs = {
  'GET /analytics/percentiles': {
    id: 'fieldPercentiles',
    tag: 'Analytics',
    query: {
      field: FIELD,
      percentiles: parameter(
        'Up to 20 numbers from 0 to 100, joined by commas; 50,90,95,99 when left out.',
        text(),
        '50,95,99.9',
      ),
      ...SELECTION,
    },
    answers: {
      200: answer(
        'The percentiles, exact.',
        object({ ...FACTS, percentiles: record(VALUE), method: text() }),
      ),
    },
    errors: ERRORS,
  },
  'GET /analytics/stddev': {
    id: 'fieldSpread',
    tag: 'Analytics',
    query: { field: FIELD, ...SELECTION },
    answers: {
      200: answer(
        'Mean, variance and deviation.',
        object({
          ...FACTS,
          sum: VALUE,
          mean: VALUE,
          variance: VALUE,
          stddev: VALUE,
          sample_variance: VALUE,
          sample_stddev: VALUE,
        }),
      ),
    },
    errors: ERRORS,
  },
  'GET /analytics/sliding-window': {
    id: 'slidingWindows',
    tag: 'Analytics',
    query: {
      ...SELECTION,
      since: { ...SINCE, required: true },
      window_seconds: required('The length of a window.', SECONDS, 86_400),
      slide_seconds: parameter(
        'How far apart windows begin; the window is a whole multiple of it.',
        SECONDS,
        43_200,
      ),
      field: parameter('A numeric field of payloads to add up.', text(), 'amount'),
    },
    answers: {
      200: answer(
        'The windows.',
        object({
          window_seconds: whole(),
          slide_seconds: whole(),
          field: orNull(text()),
          total_events: whole(),
          time_range: object({ from: instant(), to: instant() }),
          windows: list(
            object(
              { start: instant(), end: instant(), count: whole() },
              { values: whole(), sum: VALUE, avg: VALUE, min: VALUE, max: VALUE },
            ),
          ),
        }),
      ),
    },
    errors: ERRORS,
  },
  'GET /analytics/session-window': {
    id: 'eventSessions',
    tag: 'Analytics',
    query: {
      gap_seconds: required('The longest pause within a session.', SECONDS, 1_800),
      limit: parameter(
        'Sessions that are listed, the latest first; 100 when left out.',
        whole(undefined, { max: LIMITS.sessionsListedMax }),
        100,
      ),
      ...SELECTION,
    },
    answers: {
      200: answer(
        'The sessions.',
        object({
          gap_seconds: whole(),
          total_sessions: whole(),
          total_entities: whole(),
          total_events: whole(),
          sessions_of_one_event: whole(),
          avg_events_per_session: number(),
          max_events_per_session: whole(),
          avg_duration_seconds: number(),
          max_duration_seconds: number(),
          sessions: list(
            object({
              entity_id: text(),
              start: instant(),
              end: instant(),
              event_count: whole(),
              duration_seconds: number(),
            }),
          ),
        }),
      ),
    },
    errors: ERRORS,
  },
  'GET /analytics/cache/stats': {
    id: 'getCacheStats',
    tag: 'Analytics',
    tenant: false,
    answers: {
      200: answer(
        'What the caches hold, for all tenants together.',
        object({
          caches: list(
            object({
              name: text(),
              entries: whole(),
              bytes: whole(),
              bytes_max: whole(),
              hits: whole(),
              misses: whole(),
              hit_rate: orNull(number()),
            }),
          ),
        }),
      ),
    },
    errors: ['not_available', 'upstream_unavailable'],
  },
};
