/** Operations that the control plane orders from the query service. */
import { ENTITY_ID_BYTES_MAX } from '../../model/names.ts';
import {
  anything,
  instant,
  list,
  named,
  object,
  orNull,
  text,
  whole,
  type JsonSchema,
} from '../json-schema.ts';
import { ENTITY, parameter } from '../parameters.ts';
import { answer, body, type RouteDoc, type RouteDocs } from '../route-doc.ts';
import { idText, tenantText } from '../shapes/events.ts';
import { REPLAY_WISH } from '../shapes/replays.ts';
import { COMPACTION, COMPACTION_STATS, COMPACTION_STRATEGY } from './parquet.ts';

const UPSTREAM = ['upstream_unavailable', 'not_available'] as const;
const OPEN = { additionalProperties: true };

const OPERATION = object({
  id: orNull(text()),
  type: text(),
  status: orNull(text()),
  tenant_id: text(),
  parameters: anything(),
  progress: anything(),
  result: anything(),
  initiated_by: orNull(text()),
  created_at: orNull(instant()),
  started_at: orNull(instant()),
  completed_at: orNull(instant()),
  error: orNull(text()),
});

const TENANT_MEMBER = orNull(tenantText('Whose, for administrators.'));
const WISH: JsonSchema = object(
  {},
  {
    ...REPLAY_WISH,
    tenant_id: TENANT_MEMBER,
    as_of: orNull(instant('The older name of `to_timestamp`.')),
  },
);

const snapshot: RouteDoc = {
  id: 'orderSnapshot',
  tag: 'Operations',
  body: body(
    object(
      {},
      {
        tenant_id: TENANT_MEMBER,
        entity_id: orNull(idText(ENTITY_ID_BYTES_MAX, 'All entities when left out.')),
      },
    ),
    { entity_id: 'order-1001' },
    true,
  ),
  answers: {
    200: answer(
      'The snapshot, or the run that takes one of each entity.',
      object(
        {
          snapshot_id: text(),
          status: text(),
          message: text(),
          timestamp: instant(),
          created_by: text(),
        },
        {},
        OPEN,
      ),
    ),
  },
  errors: [
    ...UPSTREAM,
    'invalid_body',
    'invalid_entity_id',
    'entity_not_found',
    'operation_running',
  ],
};

const OPERATIONS_LIST = object({ operations: list(OPERATION), total: whole() });
const listed: RouteDoc = {
  id: 'listReplayOperations',
  tag: 'Operations',
  answers: { 200: answer('The newest first.', OPERATIONS_LIST) },
  errors: UPSTREAM,
};
const one: RouteDoc = {
  id: 'getReplayOperation',
  tag: 'Operations',
  answers: { 200: answer('The replay.', OPERATION) },
  errors: ['not_found', ...UPSTREAM],
};

export const CONTROL_PLANE_OPERATIONS: RouteDocs = {
  'POST /operations/snapshot': snapshot,
  'POST /operations/snapshots': { ...snapshot, id: 'orderSnapshots' },
  'GET /operations/snapshots': {
    id: 'listSnapshotOperations',
    tag: 'Operations',
    query: {
      entity_id: ENTITY,
      limit: parameter('Rows of the answer.', whole(undefined, { max: 1000 }), 100),
      cursor: parameter('The `next_cursor` of the page before.', text()),
    },
    answers: { 200: answer('Snapshots, the newest first.', named('SnapshotPage')) },
    errors: ['invalid_parameter', 'invalid_entity_id', ...UPSTREAM],
  },
  'GET /operations/snapshots/:runId': {
    id: 'getSnapshotOperation',
    tag: 'Operations',
    answers: { 200: answer('How far the run is.', named('SnapshotRun')) },
    errors: ['not_found', ...UPSTREAM],
  },
  'POST /operations/replay': {
    id: 'orderReplay',
    tag: 'Operations',
    body: body(WISH, { projection_name: 'event_counters' }, true),
    answers: {
      200: answer(
        'The replay.',
        object({ status: text(), id: text(), replay_id: text(), message: text() }, {}, OPEN),
      ),
    },
    errors: [
      ...UPSTREAM,
      'invalid_body',
      'not_found',
      'operation_running',
      'tenant_not_found',
      'overloaded',
    ],
  },
  'GET /operations/replay': listed,
  'GET /operations/history': { ...listed, id: 'listOperations' },
  'GET /operations/replay/:operationId': one,
  'POST /operations/replay/:operationId/cancel': {
    ...one,
    id: 'cancelReplayOperation',
    errors: ['not_found', 'invalid_parameter', 'operation_ended', ...UPSTREAM],
  },
  'POST /operations/compaction': {
    id: 'orderCompaction',
    tag: 'Operations',
    query: { strategy: COMPACTION_STRATEGY },
    body: body(object({}, { tenant_id: TENANT_MEMBER }), {}, true),
    answers: {
      200: answer(
        'It is done.',
        object({
          type: text(),
          status: text(),
          tenant_id: text(),
          result: COMPACTION,
          initiated_by: text(),
          created_at: instant(),
          started_at: instant(),
          completed_at: instant(),
        }),
      ),
    },
    errors: ['invalid_parameter', ...UPSTREAM],
  },
  'GET /operations/compaction/stats': {
    id: 'getCompactionOperationStats',
    tag: 'Operations',
    answers: { 200: answer('The figures.', COMPACTION_STATS) },
    errors: UPSTREAM,
  },
};
