/**
 * The routes that the query service owns. Core knows their paths, so that a client that sends everything to core gets its answers too: with
 * QUERY_URL set they are forwarded, otherwise the answer says whom to ask. The query service decides again who asks and for which tenant.
 */
import type { Forwarder, Upstream } from '@allsource/service-kit/forward';
import type { Call, Method, Route, RouteNeed } from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { NOT_AVAILABLE_DOC } from '@allsource/shared/openapi';

/** Hands a call to the query service and answers it. Throws `not_available` where core does not know one. */
export type QueryForward = (call: Call) => Promise<void>;

/** "METHOD /path" below /api/v1, and below /api for clients that write no version; the query service tells the two apart. */
type QueryRoute = readonly [route: string, needs: RouteNeed, summary: string];

const MANAGE = 'manage_pipelines';
const API_BASES = ['/api/v1', '/api'] as const;

/** Fixed paths stand before paths with parameters, and all of them before core's own `/events/:eventId`. */
const OWNED_BY_QUERY: readonly QueryRoute[] = [
  ['GET /events', 'read', 'Events as a list in a data member.'],
  ['GET /events/recent', 'read', 'The newest events, newest first.'],
  ['GET /events/entity/:entityId', 'read', 'The events of an entity.'],
  ['GET /events/type/:eventType', 'read', 'The events of a type.'],
  ['POST /query', 'read', 'Events by a query that is a JSON document.'],
  ['GET /streams', 'read', 'Entities as streams, by their last event.'],
  ['GET /event-types', 'read', 'Event types, most used first.'],
  ['GET /compaction/stats', 'read', 'What compaction has done.'],
  ['POST /compaction/trigger', 'admin', 'Merges the Parquet files of the tenant.'],
  ['GET /parquet/files', 'admin', 'The Parquet files of the tenant.'],
  ['GET /entities', 'read', 'Entities by the time of their last event.'],
  [
    'GET /entities/duplicates',
    'read',
    'Entities whose latest events agree in some payload fields.',
  ],
  [
    'GET /entities/:entityId/state',
    'read',
    'The state of an entity, now or as of an instant, with its history.',
  ],
  ['GET /entities/:entityId/snapshot', 'read', 'The current state of an entity.'],
  ['GET /projections', 'read', 'The projections of the tenant.'],
  ['GET /projection-templates', 'read', 'Projections that need only a name.'],
  ['POST /projections', MANAGE, 'Creates a projection.'],
  ['GET /projections/:name', 'read', 'One projection.'],
  ['PATCH /projections/:name', MANAGE, 'Changes a projection.'],
  ['PUT /projections/:name', MANAGE, 'The same as PATCH.'],
  ['DELETE /projections/:name', MANAGE, 'Deletes a projection.'],
  ['POST /projections/:name/start', MANAGE, 'Commands a projection: start.'],
  ['POST /projections/:name/pause', MANAGE, 'Commands a projection: pause.'],
  ['POST /projections/:name/stop', MANAGE, 'Commands a projection: stop.'],
  ['POST /projections/:name/rollback', MANAGE, 'Commands a projection: rollback.'],
  ['POST /projections/:name/reset', 'write', 'Folds all events of a projection again.'],
  [
    'GET /projections/:name/parked',
    'read',
    'Entities whose events wait because one of them cannot be folded.',
  ],
  [
    'POST /projections/:name/parked/retry',
    'write',
    'Folds the waiting events of one entity, or of all, again.',
  ],
  [
    'GET /projections/:name/skipped',
    'read',
    'Events that a projection has passed over because they cannot be folded.',
  ],
  ['GET /analytics/frequency', 'read', 'Event counts in buckets of time.'],
  ['GET /analytics/summary', 'read', 'Event counts by type and by entity.'],
  [
    'GET /analytics/correlation',
    'read',
    'How often events of two types come near each other on the same entity.',
  ],
  ['GET /analytics/percentiles', 'read', 'Percentiles of a field.'],
  ['GET /analytics/stddev', 'read', 'The spread of a field.'],
  ['GET /analytics/sliding-window', 'read', 'Counts that slide.'],
  ['GET /analytics/session-window', 'read', 'Events by session.'],
  ['GET /analytics/cache/stats', 'metrics', 'Figures of a cache.'],
  ['GET /schema-evolution/stats', 'read', 'Counts of schemas and upcasters.'],
  [
    'GET /schema-evolution/history/:eventType',
    'read',
    'The versions of a schema, and what each has changed.',
  ],
  [
    'GET /schema-evolution/schema/:eventType',
    'read',
    'The newest version of a schema, with a list of all versions.',
  ],
  ['POST /snapshots', 'write', 'Takes a snapshot of one entity, or begins to take one of each.'],
  ['GET /snapshots', 'read', 'Snapshots, the newest first.'],
  ['GET /snapshots/:entityId/latest', 'read', 'The newest snapshot of an entity, with its state.'],
  ['GET /snapshots/runs/:runId', 'read', 'How far the snapshots of all entities have come.'],
  ['POST /replay', 'write', 'Starts a replay.'],
  ['GET /replay', 'read', 'The replays of the tenant, the newest first.'],
  ['GET /replay/:replayId', 'read', 'How far a replay is.'],
  ['DELETE /replay/:replayId', 'write', 'Deletes the record of a replay that has ended.'],
  ['POST /replay/preview', 'read', 'What a replay of a projection would read.'],
  ['POST /replay/:replayId/cancel', 'write', 'Cancels a replay that has not ended.'],
  ['GET /pipelines/stats', 'read', 'What each pipeline has done.'],
  ['POST /pipelines', MANAGE, 'Registers a pipeline, or changes it.'],
  ['GET /pipelines', 'read', 'The pipelines of the tenant.'],
  ['GET /pipelines/:pipelineId/stats', 'read', 'What a pipeline has done.'],
  ['PUT /pipelines/:pipelineId/reset', MANAGE, 'Begins a pipeline anew.'],
  ['GET /pipelines/:pipelineId/results', 'read', 'The rows of a pipeline.'],
  [
    'GET /pipelines/:pipelineId/dead-letters',
    'read',
    'Outputs of a pipeline that could not be written or delivered.',
  ],
  [
    'POST /pipelines/:pipelineId/dead-letters/retry',
    MANAGE,
    'Tries dead letters of a pipeline again.',
  ],
  ['GET /pipelines/:pipelineId/failures', 'read', 'Events that a pipeline could not work with.'],
  ['GET /pipelines/:pipelineId', 'read', 'A pipeline as it was registered.'],
  ['PUT /pipelines/:pipelineId', MANAGE, 'Changes a pipeline.'],
  ['DELETE /pipelines/:pipelineId', MANAGE, 'Removes a pipeline.'],
  [
    'POST /projections/:name/rebuild',
    'write',
    'Rebuilds a projection beside the one that is read.',
  ],
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
    ...OWNED_BY_QUERY.map(([route, needs, summary]): Route => {
      return { ...placed(base, route), needs, summary, isForwarded: true, handle: forward };
    }),
    ...SERVED_NOWHERE.map((route): Route => {
      const words = { needs: 'authenticated', summary: 'Not available.' } as const;
      const doc = NOT_AVAILABLE_DOC;
      return { ...placed(base, route), ...words, isForwarded: true, doc, handle: forward };
    }),
  ]);
}

function placed(base: string, route: string): Pick<Route, 'method' | 'path'> {
  const [method, path] = route.split(' ') as [Method, string];
  return { method, path: base + path };
}

/** How core forwards to the query service; null where it does not know one. */
export function forwardToQuery(
  to: { readonly forwarder: Forwarder; readonly query: Upstream } | null,
): QueryForward {
  return async (call) => {
    if (to !== null) return await to.forwarder.forward(call, { upstream: to.query });
    throw problem(
      'not_available',
      `The query service answers ${call.request.method} ${call.request.path}; core itself answers queries over one entity (entity_id) with at most ${LIMITS.walkedEventsMax} events. Ask the query service (port 3902), or set QUERY_URL so that core forwards to it.`,
      { setting: 'QUERY_URL' },
    );
  };
}
