/** Snapshots are kept by the query service, which also knows how far a run over all entities is: administrators are shown what it answers. */
import { problem } from '@allsource/shared/errors';
import type { Call, Route } from '@allsource/service-kit/http';
import { callerHeaders } from '../upstream/caller-headers.ts';
import type { ServiceClient } from '../upstream/service-client.ts';
import { upstreamProblem } from '../upstream/upstream-problem.ts';

const TIMEOUT_MS = 60_000;
const BASE = '/api/v1/operations/snapshots';

/** Listing snapshots, and watching a run that takes them. */
export function snapshotOperationRoutes(query: ServiceClient | null): Route[] {
  return [
    {
      method: 'GET',
      path: BASE,
      needs: 'admin',
      summary: 'Snapshots, the newest first.',
      handle: (call) => passOn(call, query, '/api/v1/snapshots'),
    },
    {
      method: 'GET',
      path: `${BASE}/:runId`,
      needs: 'admin',
      summary: 'How far the snapshots of all entities have come.',
      handle: (call) => {
        const id = encodeURIComponent(call.pathParameter('runId'));
        return passOn(call, query, `/api/v1/snapshots/runs/${id}`);
      },
    },
  ];
}

/** What a snapshot request answers, in the form of an operation: one snapshot, or a run that takes one of each entity. */
export function snapshotOperation(result: Record<string, unknown>): Record<string, unknown> {
  const runId = result['run_id'];
  if (typeof runId !== 'string') {
    return {
      snapshot_id: result['snapshot_id'] ?? null,
      status: 'created',
      message: 'The snapshot was taken by the query service.',
    };
  }
  return {
    // A run takes many snapshots; its id is what there is to ask with.
    snapshot_id: runId,
    status: result['status'] ?? null,
    message: 'The query service takes a snapshot of each entity, in the background.',
    follow: `${BASE}/${encodeURIComponent(runId)}`,
  };
}

/** Asks the query service with the parameters of the caller. */
async function passOn(call: Call, query: ServiceClient | null, path: string): Promise<void> {
  const tenant = call.tenant();
  if (query === null) {
    throw problem(
      'not_available',
      'The query service keeps the snapshots, and the control plane knows none. Set QUERY_URL.',
      { operation: 'snapshot' },
    );
  }
  const parameters = new URL(call.request.originalUrl, 'http://any').searchParams;
  parameters.set('tenant_id', tenant);
  const answer = await query.request({
    method: 'GET',
    path: `${path}?${parameters.toString()}`,
    headers: callerHeaders(call.request),
    timeoutMs: TIMEOUT_MS,
  });
  if (answer.status !== 200) throw upstreamProblem(query, answer);
  call.json(200, answer.text);
}
