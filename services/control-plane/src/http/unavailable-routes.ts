import { problem } from '@allsource/shared/errors';
import type { Method, Route, RouteNeed } from '@allsource/service-kit/http';
import { NOT_AVAILABLE_DOC } from '@allsource/shared/openapi';

interface UnavailableFeature {
  readonly feature: string;
  /** What a caller can do instead; null when there is nothing. */
  readonly instead?: string;
  /** Who may learn that it is not there; administrators unless said otherwise. */
  readonly needs?: RouteNeed;
  /** "METHOD /path", below /api/v1. A fixed path stands before one with a parameter in its place. */
  readonly routes: readonly string[];
}

/**
 * Routes of an AllSource control plane that this one does not serve. They are known, so that a client that uses one is told so (501)
 * instead of taking a 404 for a missing thing or a wrong URL.
 */
export const UNAVAILABLE_FEATURES: readonly UnavailableFeature[] = [
  {
    feature: 'Logging in with a password',
    instead: 'Use an API key.',
    needs: 'public',
    routes: ['POST /auth/login', 'POST /auth/register'],
  },
  {
    feature: 'Users',
    routes: [
      'GET /users',
      'DELETE /users/:userId',
      'GET /auth/users',
      'DELETE /auth/users/:userId',
    ],
  },
  {
    feature: 'Changing, suspending and measuring tenants',
    routes: [
      'PUT /tenants/:tenantId',
      'DELETE /tenants/:tenantId',
      'POST /tenants/:tenantId/suspend',
      'POST /tenants/:tenantId/activate',
      'GET /tenants/:tenantId/stats',
    ],
  },
  {
    feature: 'Policies',
    routes: [
      'POST /policies/evaluate',
      'GET /policies',
      'POST /policies',
      'GET /policies/:policyId',
      'PUT /policies/:policyId',
      'DELETE /policies/:policyId',
      'POST /policies/:policyId/enable',
      'POST /policies/:policyId/disable',
    ],
  },
  { feature: 'The audit log', routes: ['GET /audit', 'GET /audit/events', 'POST /audit/events'] },
  {
    feature: 'Settings that operators change while the store runs',
    instead: 'Settings come from the environment.',
    routes: [
      'GET /config',
      'POST /config',
      'POST /config/conditional/set',
      'GET /config/:key',
      'PUT /config/:key',
      'DELETE /config/:key',
    ],
  },
  {
    feature: 'Schemas',
    routes: ['POST /schemas/validate', 'GET /schemas', 'POST /schemas'],
  },
  { feature: 'Backups', routes: ['POST /operations/backup'] },
  {
    feature: 'Events through the control plane',
    instead: 'Append and query at the query service.',
    needs: 'authenticated',
    routes: [
      'POST /events',
      'POST /events/batch',
      'GET /events/query',
      'GET /entities/:entityId/state',
      'GET /entities/:entityId/snapshot',
    ],
  },
];

/** The routes of the features that are not there. */
export function unavailableRoutes(): Route[] {
  return UNAVAILABLE_FEATURES.flatMap(({ feature, instead, needs = 'admin', routes }) =>
    routes.map((route): Route => {
      const [method, path] = route.split(' ') as [Method, string];
      const detail = `This control plane does not serve this: ${feature}.`;
      return {
        method,
        path: `/api/v1${path}`,
        needs,
        summary: `Not available: ${feature}.`,
        doc: NOT_AVAILABLE_DOC,
        handle: () => {
          throw problem('not_available', instead === undefined ? detail : `${detail} ${instead}`, {
            feature,
          });
        },
      };
    }),
  );
}
