/**
 * The routes that the query service owns. Core knows their paths, so that a client that sends everything to core gets its answers too: with
 * QUERY_URL set they are forwarded, otherwise the answer says whom to ask. The query service decides again who asks and for which tenant.
 */
import type { Forwarder, Upstream } from '@allsource/service-kit/forward';
import type { Call, Method, Route, RouteNeed } from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';

/** Hands a call to the query service and answers it. Throws `not_available` where core does not know one. */
export type QueryForward = (call: Call) => Promise<void>;

interface QueryRoute {
  /** GET unless said otherwise. */
  readonly method?: Method;
  /** Below /api/v1. */
  readonly path: string;
  readonly needs: RouteNeed;
  readonly summary: string;
}

const MANAGE = 'manage_pipelines';
const ONE_PROJECTION = '/projections/:name';

/** Fixed paths stand before paths with parameters, and all of them before core's own `/events/:eventId`. */
const OWNED_BY_QUERY: readonly QueryRoute[] = [
  { path: '/events', needs: 'read', summary: 'Events as a list in a data member.' },
  { path: '/events/recent', needs: 'read', summary: 'The newest events, newest first.' },
  { path: '/events/entity/:entityId', needs: 'read', summary: 'The events of an entity.' },
  { path: '/events/type/:eventType', needs: 'read', summary: 'The events of a type.' },
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
  { path: '/analytics/percentiles', needs: 'authenticated', summary: 'Percentiles of a field.' },
  { path: '/analytics/stddev', needs: 'authenticated', summary: 'The spread of a field.' },
  { path: '/analytics/sliding-window', needs: 'authenticated', summary: 'Counts that slide.' },
  { path: '/analytics/session-window', needs: 'authenticated', summary: 'Events by session.' },
  { path: '/analytics/cache/stats', needs: 'authenticated', summary: 'Figures of a cache.' },
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
  {
    method: 'POST',
    path: '/projections/:name/rebuild',
    needs: 'write',
    summary: 'Rebuilds a projection beside the one that is read.',
  },
];

/** The routes that core hands to the query service. */
export function forwardedRoutes(forward: QueryForward): Route[] {
  return OWNED_BY_QUERY.map(({ method = 'GET', path, needs, summary }) => ({
    method,
    path: `/api/v1${path}`,
    needs,
    summary,
    isForwarded: true,
    handle: forward,
  }));
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
