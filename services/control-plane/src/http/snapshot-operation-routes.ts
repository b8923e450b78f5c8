/** Snapshots are kept by the query service, which also knows how far a run over all entities is: administrators are shown what it answers. */
import type { Call, Route } from '@allsource/service-kit/http';
import { askQuery, callerParameters } from '../upstream/ask-query.ts';
import type { ServiceClient } from '../upstream/service-client.ts';

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
  const parameters = callerParameters(call);
  const question = { operation: 'snapshot', method: 'GET', path, parameters } as const;
  call.json(200, await askQuery(call, query, question));
}
