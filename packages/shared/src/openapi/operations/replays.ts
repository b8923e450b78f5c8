/** Replays: below the version as plain answers, without it in a `data` member. */
import {
  constant,
  flag,
  instant,
  list,
  named,
  number,
  object,
  orNull,
  text,
  uuid,
  whole,
} from '../json-schema.ts';
import { FRESHNESS } from '../parameters.ts';
import { answer, body, type RouteDoc, type RouteDocs } from '../route-doc.ts';

const NOT_HERE = ['not_available', 'upstream_unavailable'] as const;
const START_ERRORS = [
  ...NOT_HERE,
  'invalid_body',
  'not_found',
  'read_behind',
  'operation_running',
  'overloaded',
] as const;

const PREVIEW = object({
  projection_name: text(),
  projection_title: text(),
  projection_kind: text(),
  projection_status: text(),
  current_entity_count: whole(),
  total_events: whole(),
  sampled_events: whole(),
  analysis_scope: text(),
  event_type_distribution: list(object({ event_type: text(), count: whole(), share: number() })),
  sampled_entity_count: whole(),
  sampled_entities: list(object({ entity_id: text(), event_count: whole() })),
  first_event_at: orNull(instant()),
  last_event_at: orNull(instant()),
  analyzed_at: instant(),
  ready_to_replay: flag(),
  checks: list(object({ key: text(), label: text(), status: text(), detail: text() })),
  warnings: list(text()),
});

const start: RouteDoc = {
  id: 'startReplay',
  tag: 'Replay',
  description: 'Starts a replay of one projection of the store or of all, perhaps with filters.',
  query: FRESHNESS,
  body: body(named('ReplayWish'), { projection_name: 'event_counters' }, true),
  answers: { 200: answer('The replay.', named('Replay')) },
  errors: START_ERRORS,
};
const listed: RouteDoc = {
  id: 'listReplays',
  tag: 'Replay',
  answers: {
    200: answer('The newest first.', object({ replays: list(named('Replay')), total: whole() })),
  },
  errors: NOT_HERE,
};
const one: RouteDoc = {
  id: 'getReplay',
  tag: 'Replay',
  answers: { 200: answer('The replay.', named('Replay')) },
  errors: ['not_found', ...NOT_HERE],
};
const cancelled: RouteDoc = {
  id: 'cancelReplay',
  tag: 'Replay',
  answers: {
    200: answer('It is cancelled.', object({ replay_id: uuid(), status: text() })),
  },
  errors: ['not_found', 'invalid_parameter', 'operation_ended', ...NOT_HERE],
};

export const REPLAYS: RouteDocs = {
  'POST /replay': start,
  'GET /replay': listed,
  'GET /replay/:replayId': one,
  'POST /replay/:replayId/cancel': cancelled,
  'DELETE /replay/:replayId': {
    id: 'deleteReplay',
    tag: 'Replay',
    answers: {
      200: answer('Its record is gone.', object({ replay_id: uuid(), deleted: constant(true) })),
    },
    errors: ['not_found', 'invalid_parameter', 'operation_running', ...NOT_HERE],
  },
  'POST /replay/preview': {
    id: 'previewReplay',
    tag: 'Replay',
    query: FRESHNESS,
    body: body(object({ projection_name: text(undefined, { minLength: 1, maxLength: 200 }) }), {
      projection_name: 'entity_snapshots',
    }),
    answers: { 200: answer('What it would read.', object({ data: PREVIEW })) },
    errors: START_ERRORS,
  },
};

export const UNVERSIONED_REPLAYS: RouteDocs = {
  'POST /api/replay': {
    ...start,
    answers: { 202: answer('The replay.', object({ data: named('Replay') })) },
  },
  'GET /api/replay': {
    ...listed,
    answers: {
      200: answer(
        'The newest first.',
        object({ data: list(named('Replay')), count: whole(), total: whole() }),
      ),
    },
  },
  'GET /api/replay/:replayId': {
    ...one,
    answers: { 200: answer('The replay.', object({ data: named('Replay') })) },
  },
  'POST /api/replay/:replayId/cancel': {
    ...cancelled,
    answers: { 200: answer('The replay.', object({ data: named('Replay') })) },
  },
};
