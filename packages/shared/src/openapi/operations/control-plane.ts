/** The control plane's own routes, and its own forms of others. */
import { ENTITY_ID_BYTES_MAX, TENANT_ID_LENGTH_MAX } from '../../model/names.ts';
import {
  anything,
  flag,
  instant,
  type JsonSchema,
  list,
  named,
  number,
  object,
  oneOf,
  orNull,
  text,
  whole,
} from '../json-schema.ts';
import { REPLAY_WISH } from '../schemas.ts';
import { ENTITY, parameter } from '../parameters.ts';
import { answer, body, type RouteDoc, type RouteDocs } from '../route-doc.ts';
import { ACCESS, NEW_TENANT } from './access.ts';
import { COMPACTION, COMPACTION_STATS, COMPACTION_STRATEGY } from './parquet.ts';
import { HEALTH_ROUTES } from './health.ts';

const UPSTREAM = ['upstream_unavailable', 'not_available'] as const;
const OPEN = { additionalProperties: true };
const LINKS = object({ self: object({ href: text() }) });

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

const TENANT = object({
  id: text(),
  name: text(),
  description: orNull(text()),
  status: text(),
  created_at: instant(),
  updated_at: instant(),
  metadata: { type: 'object', ...OPEN },
  _links: LINKS,
});

const NODE = object({
  id: oneOf(['core', 'query', 'control-plane']),
  type: oneOf(['event-store', 'query-service', 'control-plane']),
  status: oneOf(['healthy', 'unhealthy', 'unreachable']),
  url: text(),
  stats: object({
    position: orNull(whole()),
    lag_events: orNull(whole()),
    uptime_seconds: orNull(number()),
    memory_bytes: orNull(whole()),
    total_events: orNull(whole()),
    total_entities: orNull(whole()),
    storage_bytes: orNull(whole()),
    version: orNull(text()),
    fault: orNull(text()),
  }),
});

const CLUSTER_HEALTH = object({
  status: oneOf(['healthy', 'unhealthy']),
  total_nodes: whole(),
  healthy_nodes: whole(),
  timestamp: instant(),
});

const WISH: JsonSchema = object(
  {},
  {
    ...REPLAY_WISH,
    tenant_id: orNull(
      text('Whose events, for administrators.', {
        pattern: '^[A-Za-z0-9_-]+$',
        maxLength: TENANT_ID_LENGTH_MAX,
      }),
    ),
    as_of: orNull(instant('The older name of `to_timestamp`.')),
  },
);

const healthOfCore: RouteDoc = {
  id: 'getCoreHealth',
  tag: 'Health',
  tenant: false,
  answers: {
    200: answer("Core's own answer.", object({ status: text() }, {}, OPEN)),
    503: answer('Core does not answer, or is not healthy.', object({ status: text() }, {}, OPEN)),
  },
};

const snapshot: RouteDoc = {
  id: 'orderSnapshot',
  tag: 'Operations',
  body: body(
    object(
      {},
      {
        entity_id: orNull(
          text('All entities when left out.', { minLength: 1, maxLength: ENTITY_ID_BYTES_MAX }),
        ),
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

/** Docs of core's routes that the control plane passes on may also fail behind it. */
function passedOn(docs: RouteDocs): RouteDocs {
  return Object.fromEntries(
    Object.entries(docs).map(([route, doc]) => [
      route,
      { ...doc, errors: [...(doc.errors ?? []), ...UPSTREAM] },
    ]),
  );
}

export const CONTROL_PLANE: RouteDocs = {
  ...HEALTH_ROUTES,
  ...passedOn(ACCESS),
  'GET /stats': { ...(HEALTH_ROUTES['GET /stats'] as RouteDoc), query: {} },
  'GET /health/core': healthOfCore,
  'GET /metrics/json': {
    id: 'getMetricsJson',
    tag: 'Health',
    answers: {
      200: answer(
        'The figures of the tenant in the store, and of the control plane.',
        object({
          metrics: object({
            event_store: orNull(named('Stats')),
            control_plane: object({ uptime_seconds: whole(), memory_used_bytes: whole() }),
          }),
          timestamp: instant(),
        }),
      ),
    },
    errors: UPSTREAM,
  },
  'GET /cluster/status': {
    id: 'getClusterStatus',
    tag: 'Operations',
    tenant: false,
    answers: {
      200: answer(
        'Every service with its health, position and lag, and the totals of the store.',
        object({
          cluster_id: text(),
          nodes: list(NODE),
          total_nodes: whole(),
          healthy_nodes: whole(),
          timestamp: instant(),
          healthy: flag(),
          version: text(),
          event_count: orNull(whole()),
          stream_count: orNull(whole()),
          storage_bytes: orNull(whole()),
          uptime_seconds: number(),
          details: object({ head_position: orNull(whole()), log_id: orNull(text()) }),
          _links: LINKS,
        }),
      ),
    },
  },
  'GET /cluster/health': {
    id: 'getClusterHealth',
    tag: 'Health',
    answers: {
      200: answer('All services are well.', CLUSTER_HEALTH),
      503: answer('Not all are.', CLUSTER_HEALTH),
    },
  },
  'POST /operations/snapshot': snapshot,
  'POST /operations/snapshots': { ...snapshot, id: 'orderSnapshots' },
  'GET /operations/snapshots': {
    id: 'listSnapshotOperations',
    tag: 'Operations',
    query: {
      entity_id: ENTITY,
      limit: parameter('Rows of the answer.', whole(undefined, { max: 1000 }), 100),
      cursor: parameter(
        'The `next_cursor` of the page before.',
        whole(undefined, { max: Number.MAX_SAFE_INTEGER }),
      ),
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
  'GET /tenants': {
    ...(ACCESS['GET /tenants'] as RouteDoc),
    answers: {
      200: answer('All tenants.', object({ tenants: list(TENANT), total: whole(), _links: LINKS })),
    },
    errors: UPSTREAM,
  },
  'GET /tenants/:tenantId': {
    id: 'getTenant',
    tag: 'Access',
    tenant: false,
    answers: { 200: answer('The tenant.', TENANT) },
    errors: ['tenant_not_found', ...UPSTREAM],
  },
  'POST /tenants': {
    ...(ACCESS['POST /tenants'] as RouteDoc),
    body: body(NEW_TENANT, { id: 'globex', name: 'Globex' }),
    answers: { 201: answer('The tenant.', TENANT) },
    errors: ['invalid_body', 'invalid_tenant_id', 'tenant_exists', ...UPSTREAM],
  },
};
