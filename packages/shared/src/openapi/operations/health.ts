/** Health, metrics, figures, and these documents themselves. */
import {
  anything,
  constant,
  flag,
  instant,
  list,
  named,
  number,
  object,
  oneOf,
  record,
  text,
  whole,
} from '../json-schema.ts';
import { FRESHNESS } from '../parameters.ts';
import { answer, type RouteDoc, type RouteDocs } from '../route-doc.ts';

const HEALTH = (status: string) =>
  object(
    { status: constant(status), service: text(), version: text(), timestamp: instant() },
    { error: text(), role: text(), head_position: whole() },
  );
const READY = object(
  {
    status: oneOf(['ready', 'not_ready']),
    checks: list(object({ name: text(), ok: flag() }, { detail: text() })),
  },
  {
    projections: object({
      by_status: record(whole()),
      stalled: whole(),
      parked_entities: whole(),
      errors: whole(),
      lag_events_max: whole(),
      lag_seconds_max: number(),
    }),
  },
);

const live: RouteDoc = {
  id: 'isAlive',
  tag: 'Health',
  answers: { 200: answer('The process runs.', object({ status: constant('alive') })) },
};
const ready: RouteDoc = {
  id: 'isReady',
  tag: 'Health',
  answers: {
    200: answer('The service can serve.', READY),
    503: answer('It cannot; the checks say why.', READY),
  },
};
const health: RouteDoc = {
  id: 'getHealth',
  tag: 'Health',
  answers: {
    200: answer('Healthy.', HEALTH('healthy')),
    503: answer('Not healthy.', HEALTH('unhealthy')),
  },
};
const metrics: RouteDoc = {
  id: 'getMetrics',
  tag: 'Health',
  answers: { 200: { description: 'The Prometheus text format.', content: { 'text/plain': {} } } },
};
const document: RouteDoc = {
  id: 'getOpenApi',
  tag: 'Health',
  answers: { 200: answer('This document.', anything()) },
};
const page: RouteDoc = {
  id: 'getDocs',
  tag: 'Health',
  answers: {
    200: { description: 'This document as a page to read.', content: { 'text/html': {} } },
  },
};

export const HEALTH_ROUTES: RouteDocs = {
  'GET /livez': live,
  'GET /health/live': live,
  'GET /readyz': ready,
  'GET /health/ready': ready,
  'GET /health': health,
  'GET /metrics': metrics,
  'GET /metrics/prometheus': metrics,
  'GET /openapi.json': document,
  'GET /openapi': document,
  'GET /docs': page,
  'GET /stats': {
    id: 'getStats',
    tag: 'Health',
    description: 'Counts of the tenant, and figures of the process.',
    query: FRESHNESS,
    answers: { 200: answer('The figures.', named('Stats')) },
    errors: ['read_behind', 'upstream_unavailable', 'invalid_parameter'],
  },
};
