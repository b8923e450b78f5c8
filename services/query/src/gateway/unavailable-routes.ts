import { problem } from '@allsource/shared/errors';
import type { Method, Route, RouteNeed } from '@allsource/service-kit/http';
import { NOT_AVAILABLE_DOC } from '@allsource/shared/openapi';
import { API_BASES } from './api-path.ts';

interface UnavailableFeature {
  readonly feature: string;
  /** Who may learn that it is not there; any valid key unless said otherwise. */
  readonly needs?: RouteNeed;
  /** "METHOD /path", below /api/v1 and /api. A fixed path stands before one with a parameter in its place. */
  readonly routes: readonly string[];
}

/**
 * Routes of AllSource that this store does not serve. They are known, so that a client that uses one is told so (501) instead of
 * taking a 404 for a missing entity or a wrong URL.
 */
export const UNAVAILABLE_FEATURES: readonly UnavailableFeature[] = [
  {
    feature: 'Logging in with a password',
    needs: 'public',
    routes: ['POST /auth/register', 'POST /auth/login'],
  },
  {
    feature: 'Users and sessions',
    routes: ['GET /auth/users', 'DELETE /auth/users/:userId', 'POST /auth/logout'],
  },
  {
    feature: 'The older form of API keys',
    routes: ['GET /api-keys', 'POST /api-keys', 'DELETE /api-keys/:keyId'],
  },
  {
    feature: 'Changing tenants, their usage and their quotas',
    routes: [
      'GET /tenants/:tenantId',
      'PUT /tenants/:tenantId',
      'DELETE /tenants/:tenantId',
      'PATCH /tenants/:tenantId/metadata',
      'PUT /tenants/:tenantId/quotas',
      'POST /tenants/:tenantId/activate',
      'POST /tenants/:tenantId/deactivate',
      'POST /tenants/:tenantId/suspend',
      'POST /tenants/:tenantId/usage/increment',
      'GET /tenants/:tenantId/stats',
      'GET /tenant',
      'GET /tenant/usage',
      'GET /tenant/audit-logs',
    ],
  },
  {
    feature: 'Webhooks',
    routes: [
      'POST /webhooks',
      'GET /webhooks',
      'GET /webhooks/:webhookId/deliveries',
      'GET /webhooks/:webhookId',
      'PUT /webhooks/:webhookId',
      'DELETE /webhooks/:webhookId',
    ],
  },
  { feature: 'Queries over projections', routes: ['POST /query/projected'] },
  {
    feature: 'Prime projections',
    routes: [
      'GET /prime/projections',
      'POST /prime/projections',
      'POST /prime/nodes/:nodeId/project',
      'GET /prime/nodes/:nodeId/fields/:field/provenance',
    ],
  },
  {
    feature: 'Backups over HTTP',
    routes: [
      'POST /backups',
      'GET /backups',
      'POST /backups/:backupId/verify',
      'POST /backups/:backupId/restore',
      'GET /backups/:backupId',
      'DELETE /backups/:backupId',
    ],
  },
];

/** The routes of the features that are not there. */
export function unavailableRoutes(): Route[] {
  return UNAVAILABLE_FEATURES.flatMap(({ feature, needs = 'authenticated', routes }) =>
    routes.flatMap((route) => {
      const [method, path] = route.split(' ') as [Method, string];
      const summary = `Not available: ${feature}.`;
      const handle = () => refuse(feature);
      return API_BASES.map((base): Route => {
        return { method, path: base + path, needs, summary, handle, doc: NOT_AVAILABLE_DOC };
      });
    }),
  );
}

function refuse(feature: string): never {
  const members = { feature };
  throw problem(
    'not_available',
    `This version of the store does not serve this: ${feature}.`,
    members,
  );
}
