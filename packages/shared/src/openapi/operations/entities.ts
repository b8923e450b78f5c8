/** Entities, what a tenant has, and snapshots. */
import { LIMITS } from '../../limits/limits.ts';
import { ENTITY_ID_BYTES_MAX } from '../../model/names.ts';
import {
  anything,
  constant,
  flag,
  instant,
  list,
  named,
  object,
  orNull,
  text,
  uuid,
  whole,
} from '../json-schema.ts';
import {
  AS_OF_RECORDED,
  ENTITY,
  FRESHNESS,
  ORDER,
  PAYLOAD_FILTER,
  parameter,
  required,
  TYPE_PREFIX,
  UPCAST,
  WINDOW,
} from '../parameters.ts';
import { answer, body, type RouteDoc, type RouteDocs } from '../route-doc.ts';
import { idText } from '../shapes/events.ts';

const READ_ERRORS = [
  'invalid_parameter',
  'query_budget_exceeded',
  'read_behind',
  'position_beyond_head',
  'read_store_damaged',
  'upstream_unavailable',
  'not_available',
] as const;
const POSITION = whole('The position of the log at which the answer is true.');
const PAGE = { total: whole(), has_more: flag(), position: POSITION };

/** A list under its own name and, for older clients, under `data`. */
function catalogDoc(id: string, name: string, key: string): RouteDoc {
  const rows = list(object({ [key]: text(), event_count: whole(), last_event_at: instant() }));
  return {
    id,
    tag: 'Entities',
    query: { ...WINDOW, ...FRESHNESS },
    answers: {
      200: answer('The rows.', object({ [name]: rows, data: rows, count: whole(), ...PAGE })),
    },
    errors: READ_ERRORS,
  };
}

export const ENTITIES: RouteDocs = {
  'GET /streams': catalogDoc('listStreams', 'streams', 'stream_id'),
  'GET /event-types': catalogDoc('listEventTypes', 'event_types', 'event_type'),
  'GET /entities': {
    id: 'listEntities',
    tag: 'Entities',
    query: {
      event_type_prefix: TYPE_PREFIX,
      payload_filter: PAYLOAD_FILTER,
      order: { ...ORDER, description: 'By the time of the last event; `desc` when left out.' },
      ...WINDOW,
      ...FRESHNESS,
    },
    answers: {
      200: answer(
        'The entities.',
        object({
          entities: list(
            object({
              entity_id: text(),
              event_count: whole(),
              last_event_type: text(),
              last_event_at: instant(),
            }),
          ),
          ...PAGE,
        }),
      ),
    },
    errors: READ_ERRORS,
  },
  'GET /entities/duplicates': {
    id: 'findDuplicates',
    tag: 'Entities',
    query: {
      event_type_prefix: required('The events that are compared.', text(), 'order.'),
      group_by: required(
        `1 to ${LIMITS.filtersMax} names of payload fields, joined by commas.`,
        text(),
        'customer',
      ),
      ...WINDOW,
      ...FRESHNESS,
    },
    answers: {
      200: answer(
        'Groups of entities whose latest events agree in those fields.',
        object({
          duplicates: list(
            object({
              key: { type: 'object', additionalProperties: true },
              entity_ids: list(text()),
              count: whole(),
            }),
          ),
          ...PAGE,
        }),
      ),
    },
    errors: READ_ERRORS,
  },
  'GET /entities/:entityId/state': {
    id: 'getEntityState',
    tag: 'Entities',
    description:
      'Its payloads merged in order, now or as of an instant. There are two clocks: `as_of` asks what had happened, `as_of_recorded` what the store knew.',
    query: {
      as_of: parameter('What had happened at this instant.', instant(), '2100-01-01T00:00:00Z'),
      as_of_recorded: AS_OF_RECORDED,
      history_limit: parameter(
        'The newest so many events of the history; all of them when left out.',
        whole(undefined, { max: LIMITS.pageEventsMax }),
        10,
      ),
      upcast: UPCAST,
      ...FRESHNESS,
    },
    answers: {
      200: answer(
        'The state.',
        object(
          {
            entity_id: text(),
            last_updated: instant(),
            event_count: whole(),
            version: whole(),
            as_of: orNull(instant()),
            current_state: anything(),
            history: list(
              object({
                event_id: uuid(),
                type: text(),
                timestamp: instant(),
                version: whole(),
                payload: anything(),
              }),
            ),
            position: POSITION,
          },
          { as_of_recorded: instant() },
        ),
      ),
    },
    errors: [
      ...READ_ERRORS,
      'entity_not_found',
      'invalid_entity_id',
      'payload_too_large',
      'upcast_failed',
    ],
  },
  'GET /entities/:entityId/snapshot': {
    id: 'getEntitySnapshot',
    tag: 'Entities',
    description: 'The current state as the projection `entity_snapshots` keeps it.',
    query: FRESHNESS,
    answers: {
      200: answer(
        'The state.',
        object({
          entity_id: text(),
          snapshot: anything(),
          from_projection: constant('entity_snapshots'),
        }),
      ),
    },
    errors: [...READ_ERRORS, 'entity_not_found', 'invalid_entity_id', 'payload_too_large'],
  },
  'POST /snapshots': {
    id: 'takeSnapshot',
    tag: 'Entities',
    query: FRESHNESS,
    body: body(
      object(
        {},
        {
          entity_id: orNull(
            idText(ENTITY_ID_BYTES_MAX, 'Snapshots of all entities when left out.'),
          ),
        },
      ),
      { entity_id: 'order-1001' },
      true,
    ),
    answers: {
      200: answer('The snapshot of one entity is taken.', named('SnapshotTaken')),
      202: answer('A run that takes one of each entity has begun.', named('SnapshotRun')),
    },
    errors: [
      ...READ_ERRORS,
      'invalid_body',
      'invalid_entity_id',
      'entity_not_found',
      'payload_too_large',
      'operation_running',
      'overloaded',
    ],
  },
  'GET /snapshots': {
    id: 'listSnapshots',
    tag: 'Entities',
    query: {
      entity_id: ENTITY,
      limit: parameter(
        'Rows of the answer; 100 when left out.',
        whole(undefined, { max: LIMITS.snapshotPageMax }),
        100,
      ),
      cursor: parameter('The `next_cursor` of the page before.', text()),
      ...FRESHNESS,
    },
    answers: { 200: answer('Snapshots, the newest first.', named('SnapshotPage')) },
    errors: [...READ_ERRORS, 'invalid_entity_id'],
  },
  'GET /snapshots/:entityId/latest': {
    id: 'getLatestSnapshot',
    tag: 'Entities',
    query: FRESHNESS,
    answers: { 200: answer('The snapshot with its state.', named('SnapshotWithState')) },
    errors: [...READ_ERRORS, 'entity_not_found', 'invalid_entity_id', 'payload_too_large'],
  },
  'GET /snapshots/runs/:runId': {
    id: 'getSnapshotRun',
    tag: 'Entities',
    answers: { 200: answer('How far the run is.', named('SnapshotRun')) },
    errors: ['not_found', 'not_available', 'upstream_unavailable'],
  },
};
