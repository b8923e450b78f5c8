/**
 * The routes that the query service owns. Core knows their paths, so that a client that sends everything to core gets its answers too: with
 * QUERY_URL set they are forwarded, otherwise the answer says whom to ask. The query service decides again who asks and for which tenant.
 */
import type { Forwarder, Upstream } from '@allsource/service-kit/forward';
import type { Call, Method, Route, RouteNeed } from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { NOT_AVAILABLE_DOC } from '@allsource/shared/openapi';

/** Hands a call to the query service and answers it. Throws `not_available` where core does not know one. */
export type QueryForward = (call: Call) => Promise<void>;

interface QueryRoute {
  /** GET unless said otherwise. */
  readonly method?: Method;
  /** Below /api/v1, and below /api for clients that write no version; the query service tells the two apart. */
  readonly path: string;
  readonly needs: RouteNeed;
  readonly summary: string;
}

const MANAGE = 'manage_pipelines';
const ONE_PROJECTION = '/projections/:name';
const API_BASES = ['/api/v1', '/api'] as const;

/** Fixed paths stand before paths with parameters, and all of them before core's own `/events/:eventId`. */
const OWNED_BY_QUERY: readonly QueryRoute[] = [
  { path: '/events', needs: 'read', summary: 'Events as a list in a data member.' },
  { path: '/events/recent', needs: 'read', summary: 'The newest events, newest first.' },
  { path: '/events/entity/:entityId', needs: 'read', summary: 'The events of an entity.' },
  { path: '/events/type/:eventType', needs: 'read', summary: 'The events of a type.' },
  {
    method: 'POST',
    path: '/query',
    needs: 'read',
    summary: 'Events by a query that is a JSON document.',
  },
  { path: '/streams', needs: 'read', summary: 'Entities as streams, by their last event.' },
  { path: '/event-types', needs: 'read', summary: 'Event types, most used first.' },
  { path: '/compaction/stats', needs: 'read', summary: 'What compaction has done.' },
  {
    method: 'POST',
    path: '/compaction/trigger',
    needs: 'admin',
    summary: 'Merges the Parquet files of the tenant.',
  },
  { path: '/parquet/files', needs: 'admin', summary: 'The Parquet files of the tenant.' },
  { path: '/entities', needs: 'read', summary: 'Entities by the time of their last event.' },
  {
    path: '/entities/duplicates',
    needs: 'read',
    summary: 'Entities whose latest events agree in some payload fields.',
  },
  {
    path: '/entities/:entityId/state',
    needs: 'read',
    summary: 'The state of an entity, now or as of an instant, with its history.',
  },
  {
    path: '/entities/:entityId/snapshot',
    needs: 'read',
    summary: 'The current state of an entity.',
  },
  { path: '/projections', needs: 'read', summary: 'The projections of the tenant.' },
  { path: '/projection-templates', needs: 'read', summary: 'Projections that need only a name.' },
  { method: 'POST', path: '/projections', needs: MANAGE, summary: 'Creates a projection.' },
  { path: ONE_PROJECTION, needs: 'read', summary: 'One projection.' },
  { method: 'PATCH', path: ONE_PROJECTION, needs: MANAGE, summary: 'Changes a projection.' },
  { method: 'PUT', path: ONE_PROJECTION, needs: MANAGE, summary: 'The same as PATCH.' },
  { method: 'DELETE', path: ONE_PROJECTION, needs: MANAGE, summary: 'Deletes a projection.' },
  ...['start', 'pause', 'stop', 'rollback'].map(
    (word): QueryRoute => ({
      method: 'POST',
      path: `${ONE_PROJECTION}/${word}`,
      needs: MANAGE,
      summary: `Commands a projection: ${word}.`,
    }),
  ),
  {
    method: 'POST',
    path: `${ONE_PROJECTION}/reset`,
    needs: 'write',
    summary: 'Folds all events of a projection again.',
  },
  {
    path: `${ONE_PROJECTION}/parked`,
    needs: 'read',
    summary: 'Entities whose events wait because one of them cannot be folded.',
  },
  {
    method: 'POST',
    path: `${ONE_PROJECTION}/parked/retry`,
    needs: 'write',
    summary: 'Folds the waiting events of one entity, or of all, again.',
  },
  {
    path: `${ONE_PROJECTION}/skipped`,
    needs: 'read',
    summary: 'Events that a projection has passed over because they cannot be folded.',
  },
  { path: '/analytics/frequency', needs: 'read', summary: 'Event counts in buckets of time.' },
  { path: '/analytics/summary', needs: 'read', summary: 'Event counts by type and by entity.' },
  {
    path: '/analytics/correlation',
    needs: 'read',
    summary: 'How often events of two types come near each other on the same entity.',
  },
  { path: '/analytics/percentiles', needs: 'read', summary: 'Percentiles of a field.' },
  { path: '/analytics/stddev', needs: 'read', summary: 'The spread of a field.' },
  { path: '/analytics/sliding-window', needs: 'read', summary: 'Counts that slide.' },
  { path: '/analytics/session-window', needs: 'read', summary: 'Events by session.' },
  { path: '/analytics/cache/stats', needs: 'metrics', summary: 'Figures of a cache.' },
  { path: '/schema-evolution/stats', needs: 'read', summary: 'Counts of schemas and upcasters.' },
  {
    path: '/schema-evolution/history/:eventType',
    needs: 'read',
    summary: 'The versions of a schema, and what each has changed.',
  },
  {
    path: '/schema-evolution/schema/:eventType',
    needs: 'read',
    summary: 'The newest version of a schema, with a list of all versions.',
  },
  {
    method: 'POST',
    path: '/snapshots',
    needs: 'write',
    summary: 'Takes a snapshot of one entity, or begins to take one of each.',
  },
  { path: '/snapshots', needs: 'read', summary: 'Snapshots, the newest first.' },
  {
    path: '/snapshots/:entityId/latest',
    needs: 'read',
    summary: 'The newest snapshot of an entity, with its state.',
  },
  {
    path: '/snapshots/runs/:runId',
    needs: 'read',
    summary: 'How far the snapshots of all entities have come.',
  },
  { method: 'POST', path: '/replay', needs: 'write', summary: 'Starts a replay.' },
  { path: '/replay', needs: 'read', summary: 'The replays of the tenant, the newest first.' },
  { path: '/replay/:replayId', needs: 'read', summary: 'How far a replay is.' },
  {
    method: 'DELETE',
    path: '/replay/:replayId',
    needs: 'write',
    summary: 'Deletes the record of a replay that has ended.',
  },
  {
    method: 'POST',
    path: '/replay/preview',
    needs: 'read',
    summary: 'What a replay of a projection would read.',
  },
  {
    method: 'POST',
    path: '/replay/:replayId/cancel',
    needs: 'write',
    summary: 'Cancels a replay that has not ended.',
  },
  { path: '/pipelines/stats', needs: 'read', summary: 'What each pipeline has done.' },
  {
    method: 'POST',
    path: '/pipelines',
    needs: 'manage_pipelines',
    summary: 'Registers a pipeline, or changes it.',
  },
  { path: '/pipelines', needs: 'read', summary: 'The pipelines of the tenant.' },
  { path: '/pipelines/:pipelineId/stats', needs: 'read', summary: 'What a pipeline has done.' },
  {
    method: 'PUT',
    path: '/pipelines/:pipelineId/reset',
    needs: 'manage_pipelines',
    summary: 'Begins a pipeline anew.',
  },
  { path: '/pipelines/:pipelineId/results', needs: 'read', summary: 'The rows of a pipeline.' },
  {
    path: '/pipelines/:pipelineId/dead-letters',
    needs: 'read',
    summary: 'Outputs of a pipeline that could not be written or delivered.',
  },
  {
    method: 'POST',
    path: '/pipelines/:pipelineId/dead-letters/retry',
    needs: 'manage_pipelines',
    summary: 'Tries dead letters of a pipeline again.',
  },
  {
    path: '/pipelines/:pipelineId/failures',
    needs: 'read',
    summary: 'Events that a pipeline could not work with.',
  },
  { path: '/pipelines/:pipelineId', needs: 'read', summary: 'A pipeline as it was registered.' },
  {
    method: 'PUT',
    path: '/pipelines/:pipelineId',
    needs: 'manage_pipelines',
    summary: 'Changes a pipeline.',
  },
  {
    method: 'DELETE',
    path: '/pipelines/:pipelineId',
    needs: 'manage_pipelines',
    summary: 'Removes a pipeline.',
  },
  {
    method: 'POST',
    path: '/projections/:name/rebuild',
    needs: 'write',
    summary: 'Rebuilds a projection beside the one that is read.',
  },
];

/**
 * "METHOD /path" of what AllSource has on core and this version serves nowhere: the query service says so, so that nobody takes a 404 for a missing
 * thing. Fixed paths stand before paths with parameters.
 */
const SERVED_NOWHERE = [
  'POST /query/projected',
  'POST /webhooks',
  'GET /webhooks',
  'GET /webhooks/:webhookId/deliveries',
  'GET /webhooks/:webhookId',
  'PUT /webhooks/:webhookId',
  'DELETE /webhooks/:webhookId',
  'GET /prime/projections',
  'POST /prime/projections',
  'POST /prime/nodes/:nodeId/project',
  'GET /prime/nodes/:nodeId/fields/:field/provenance',
] as const;

/** The routes that core hands to the query service. */
export function forwardedRoutes(forward: QueryForward): Route[] {
  return API_BASES.flatMap((base) => [
    ...OWNED_BY_QUERY.map(
      ({ method = 'GET', path, needs, summary }): Route => ({
        method,
        path: base + path,
        needs,
        summary,
        isForwarded: true,
        handle: forward,
      }),
    ),
    ...SERVED_NOWHERE.map((route): Route => {
      const [method, path] = route.split(' ') as [Method, string];
      const summary = 'Not available.';
      return {
        method,
        path: base + path,
        needs: 'authenticated',
        summary,
        isForwarded: true,
        doc: NOT_AVAILABLE_DOC,
        handle: forward,
      };
    }),
  ]);
}

/** How core forwards to the query service; null where it does not know one. */
export function forwardToQuery(
  to: { readonly forwarder: Forwarder; readonly query: Upstream } | null,
): QueryForward {
  return async (call) => {
    if (to !== null) return await to.forwarder.forward(call, { upstream: to.query });
    throw problem(
      'not_available',
      `The query service answers ${call.request.method} ${call.request.path}; core itself answers queries over one entity (entity_id). Ask the query service (port 3902), or set QUERY_URL so that core forwards to it.`,
      { setting: 'QUERY_URL' },
    );
  };
}
