/** Projections of the store, and the states that clients keep for their own. */
import { LIMITS } from '../../limits/limits.ts';
import { ENTITY_ID_BYTES_MAX } from '../../model/names.ts';
import { anything, constant, list, named, object, text, whole } from '../json-schema.ts';
import { FRESHNESS, parameter, required } from '../parameters.ts';
import { OWN_PROJECTION, STORE_PROJECTION } from '../shapes/projections.ts';
import { answer, body, type RouteDoc, type RouteDocs } from '../route-doc.ts';
import { idText } from '../shapes/events.ts';

const ERRORS = [
  'invalid_parameter',
  'read_behind',
  'position_beyond_head',
  'read_store_damaged',
  'upstream_unavailable',
  'not_available',
] as const;

const PROJECTIONS_LIST = list({ anyOf: [named('StoreProjection'), named('OwnProjectionRow')] });
const NAME = required(
  'The name of a projection of your own; the names of the store are not written to.',
  text(),
  'order-totals',
);
/** Core calls it otherwise than the gateway. */
const OWN_NAME = { name: NAME, projection: NAME };
const STATE = object({ state: anything('Any JSON; it is kept byte for byte.') });

function saveDoc(id: string): RouteDoc {
  return {
    id,
    tag: 'Projections',
    description: 'Saves the state of an entity of a projection that a client keeps itself.',
    path: OWN_NAME,
    body: body(STATE, { state: { orders: 3, total: 12600 } }),
    answers: {
      200: answer(
        'The state is durable.',
        object({ projection: text(), entity_id: text(), saved: constant(true) }),
      ),
    },
    errors: ['invalid_body', 'payload_too_large', 'invalid_entity_id', 'invalid_parameter'],
  };
}

export const PROJECTIONS: RouteDocs = {
  'GET /projections': {
    id: 'listProjections',
    tag: 'Projections',
    answers: {
      200: answer(
        'The projections.',
        object({
          projections: PROJECTIONS_LIST,
          total: whole(),
          data: PROJECTIONS_LIST,
          count: whole(),
        }),
      ),
    },
    errors: ['not_available', 'upstream_unavailable'],
  },
  'GET /projections/:name': {
    id: 'getProjection',
    tag: 'Projections',
    answers: {
      200: answer('The projection.', {
        anyOf: [
          object({ ...STORE_PROJECTION, found: constant(true), data: named('StoreProjection') }),
          object({ ...OWN_PROJECTION, found: constant(true), data: named('OwnProjection') }),
        ],
      }),
    },
    errors: ['not_found', 'not_available', 'upstream_unavailable'],
  },
  'GET /projections/:name/state': {
    id: 'listProjectionStates',
    tag: 'Projections',
    description: 'The states in the order of their keys.',
    query: {
      limit: parameter(
        'States of the answer; all of a projection that clients keep, 100 of one of the store, when left out.',
        whole(undefined, { max: LIMITS.bulkStatesMax }),
        100,
      ),
      offset: parameter(
        'States to pass over.',
        whole(undefined, { max: Number.MAX_SAFE_INTEGER }),
        0,
      ),
      entity_id_prefix: parameter('Only keys that begin so.', text(), 'order-'),
      entity_id: parameter(
        'Only this key, of a projection of the store; the answer is then that of one state.',
        text(),
      ),
      after: parameter('Behind this key, of a projection of your own.', text()),
      ...FRESHNESS,
    },
    answers: {
      200: answer('The states.', {
        anyOf: [named('ProjectionStates'), named('ProjectionState')],
      }),
    },
    errors: [...ERRORS, 'payload_too_large', 'query_budget_exceeded', 'overloaded'],
  },
  'POST /projections/:name/bulk': {
    id: 'getProjectionStates',
    tag: 'Projections',
    query: FRESHNESS,
    body: body(object({ entity_ids: list(text(), { maxItems: LIMITS.bulkStatesMax }) }), {
      entity_ids: ['order-1001'],
    }),
    answers: { 200: answer('The states of the named keys.', named('ProjectionStates')) },
    errors: [
      ...ERRORS,
      'invalid_body',
      'batch_too_large',
      'invalid_entity_id',
      'payload_too_large',
    ],
  },
  'POST /projections/:name/bulk/save': {
    id: 'saveProjectionStates',
    tag: 'Projections',
    description: 'Saves the states of many entities, all or none.',
    path: OWN_NAME,
    body: body(
      object({
        states: list(
          object({
            entity_id: idText(ENTITY_ID_BYTES_MAX),
            state: anything(),
          }),
          {
            maxItems: LIMITS.bulkStatesMax,
          },
        ),
      }),
      { states: [{ entity_id: 'order-1001', state: { orders: 3 } }] },
    ),
    answers: {
      200: answer(
        'The states are durable.',
        object({ projection: text(), saved: whole(), total: whole() }),
      ),
    },
    errors: [
      ...ERRORS,
      'invalid_body',
      'batch_too_large',
      'payload_too_large',
      'invalid_entity_id',
    ],
  },
  'GET /projections/:name/:entityId/state': {
    id: 'getProjectionState',
    tag: 'Projections',
    query: FRESHNESS,
    answers: { 200: answer('The state; null where none is.', named('ProjectionState')) },
    errors: [...ERRORS, 'payload_too_large', 'invalid_entity_id'],
  },
  'PUT /projections/:name/:entityId/state': saveDoc('saveProjectionState'),
  'POST /projections/:name/:entityId/state': saveDoc('postProjectionState'),
  'POST /projections/:name/rebuild': {
    id: 'rebuildProjection',
    tag: 'Replay',
    description:
      'Rebuilds a projection beside the one that is read, and puts it in place when it is whole. The body is for projections of the store, which a replay rebuilds.',
    query: FRESHNESS,
    body: body(named('RebuildWish'), {}, true),
    answers: {
      202: answer(
        'The rebuild has begun.',
        object(
          {
            projection: text(),
            status: constant('rebuilding'),
            data: { anyOf: [named('Replay'), named('OwnProjection')] },
          },
          { replay_id: text(), build: whole() },
        ),
      ),
    },
    errors: [
      ...ERRORS,
      'not_found',
      'invalid_body',
      'starting',
      'wrong_status',
      'definition_conflict',
      'operation_running',
      'overloaded',
    ],
  },
};
