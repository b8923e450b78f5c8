/** Which documents each service looks its routes up in. */
import { answer, type RouteDoc, type RouteDocs } from './route-doc.ts';
import { anything } from './json-schema.ts';
import { PATH_PARAMETERS } from './parameters.ts';
import { ACCESS } from './operations/access.ts';
import { ANALYTICS } from './operations/analytics.ts';
import { APPENDS, GATEWAY_APPENDS } from './operations/appends.ts';
import { CONTROL_PLANE } from './operations/control-plane.ts';
import { ENTITIES } from './operations/entities.ts';
import { EVENT_READS } from './operations/events.ts';
import { HEALTH_ROUTES } from './operations/health.ts';
import { LIVE } from './operations/live.ts';
import { INTERNAL, OPERATIONS } from './operations/operations.ts';
import { PARQUET } from './operations/parquet.ts';
import { DEFINITION_ROUTES, OWN_PROJECTIONS } from './operations/own-projections.ts';
import { PIPELINES } from './operations/pipelines.ts';
import { PROJECTIONS } from './operations/projections.ts';
import { REPLAYS, UNVERSIONED_REPLAYS } from './operations/replays.ts';
import { STATISTICS } from './operations/statistics.ts';
import { UPCASTERS } from './operations/upcasters.ts';
import { SCHEMA_ROUTES, UNVERSIONED_SCHEMA_ROUTES } from './operations/schemas.ts';

const SHARED: RouteDocs = {
  ...HEALTH_ROUTES,
  ...EVENT_READS,
  ...LIVE,
  ...ENTITIES,
  ...PROJECTIONS,
  ...OWN_PROJECTIONS,
  ...PIPELINES,
  ...ANALYTICS,
  ...STATISTICS,
  ...UPCASTERS,
  ...SCHEMA_ROUTES,
  ...REPLAYS,
  ...PARQUET,
  ...ACCESS,
  ...OPERATIONS,
};

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
/** What the gateway hands to the control plane as it is. */
const HANDED_ON = ['audit', 'policies', 'config', 'cluster', 'operations'] as const;

const TO_CONTROL_PLANE: RouteDocs = Object.fromEntries(
  HANDED_ON.flatMap((part) =>
    METHODS.map((method): [string, RouteDoc] => [
      `${method} /${part}{/*below}`,
      {
        tag: 'Operations',
        description: `The control plane serves this and everything below it; its own document says what there is.`,
        path: {
          below: { ...(PATH_PARAMETERS['below'] as NonNullable<RouteDoc['path']>[string]) },
        },
        answers: { '2XX': answer('What the control plane answers.', anything()) },
        errors: [
          'route_not_found',
          'method_not_allowed',
          'not_found',
          'tenant_not_found',
          'entity_not_found',
          'invalid_parameter',
          'invalid_body',
          'malformed_json',
          'unsupported_media_type',
          'body_too_large',
          'operation_running',
          'upstream_unavailable',
          'not_available',
        ],
      },
    ]),
  ),
);

export const CORE_DOCS: RouteDocs = {
  ...SHARED,
  ...APPENDS,
  ...UNVERSIONED_SCHEMA_ROUTES,
  ...UNVERSIONED_REPLAYS,
  ...INTERNAL,
  ...DEFINITION_ROUTES,
};

export const QUERY_DOCS: RouteDocs = {
  ...SHARED,
  ...GATEWAY_APPENDS,
  ...UNVERSIONED_SCHEMA_ROUTES,
  ...UNVERSIONED_REPLAYS,
  ...TO_CONTROL_PLANE,
};

export const CONTROL_PLANE_DOCS: RouteDocs = CONTROL_PLANE;
