/** The control plane's own routes, and its own forms of others. */
import {
  flag,
  instant,
  list,
  named,
  number,
  object,
  oneOf,
  orNull,
  text,
  whole,
} from '../json-schema.ts';
import { answer, body, type RouteDoc, type RouteDocs } from '../route-doc.ts';
import { ACCESS, NEW_TENANT } from './access.ts';
import { HEALTH_ROUTES } from './health.ts';
import { CONTROL_PLANE_OPERATIONS } from './control-plane-operations.ts';

const UPSTREAM = ['upstream_unavailable', 'not_available'] as const;
const OPEN = { additionalProperties: true };
const LINKS = object({ self: object({ href: text() }) });

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

const healthOfCore: RouteDoc = {
  id: 'getCoreHealth',
  tag: 'Health',
  tenant: false,
  answers: {
    200: answer("Core's own answer.", object({ status: text() }, {}, OPEN)),
    503: answer('Core does not answer, or is not healthy.', object({ status: text() }, {}, OPEN)),
  },
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
  ...CONTROL_PLANE_OPERATIONS,
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
