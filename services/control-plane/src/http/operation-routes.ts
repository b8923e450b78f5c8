/**
 * Operations on the read side. The control plane checks the request and hands it to the owner, the query service, under the caller's own key; what the
 * owner refuses is refused here with the same words.
 */
import type { Call, Route } from '@allsource/service-kit/http';
import type { ControlPlaneMetrics, OperationKind } from '../observability/control-plane-metrics.ts';
import { parseReplayRequest, parseSnapshotRequest } from '../operations/operation-request.ts';
import { replayOperation } from '../operations/replay-operation.ts';
import { parsedObject } from '../upstream/answer-members.ts';
import { askQuery } from '../upstream/ask-query.ts';
import type { ServiceClient } from '../upstream/service-client.ts';
import { optionalBody } from './optional-body.ts';
import { snapshotOperation } from './snapshot-operation-routes.ts';

export interface OperationRoutesOptions {
  readonly query: ServiceClient | null;
  readonly metrics: ControlPlaneMetrics;
}

/** Snapshots and replays, ordered by an operator. */
export function operationRoutes(options: OperationRoutesOptions): Route[] {
  const snapshot = (path: string): Route => ({
    method: 'POST',
    path,
    needs: 'admin',
    summary: 'Takes a snapshot of one entity or of all.',
    handle: (call) => takeSnapshot(call, options),
  });
  return [
    snapshot('/api/v1/operations/snapshot'),
    snapshot('/api/v1/operations/snapshots'),
    {
      method: 'POST',
      path: '/api/v1/operations/replay',
      needs: 'admin',
      summary: 'Starts a replay of events into projections.',
      handle: (call) => startReplay(call, options),
    },
  ];
}

async function takeSnapshot(call: Call, options: OperationRoutesOptions): Promise<void> {
  const { tenant_id, ...request } = parseSnapshotRequest(await optionalBody(call));
  const result = await carriedOut(call, options, {
    kind: 'snapshot',
    path: '/api/v1/snapshots',
    request,
    tenant: call.tenant(tenant_id ?? call.query.text('tenant_id')),
  });
  call.json(200, {
    ...result,
    ...snapshotOperation(result),
    timestamp: new Date().toISOString(),
    created_by: call.principal.id,
  });
}

async function startReplay(call: Call, options: OperationRoutesOptions): Promise<void> {
  const { tenant_id, ...request } = parseReplayRequest(await optionalBody(call));
  const tenant = call.tenant(tenant_id ?? call.query.text('tenant_id'));
  const operation = { kind: 'replay', path: '/api/v1/replay', request, tenant } as const;
  const result = await carriedOut(call, options, operation);
  call.json(200, {
    ...result,
    ...replayOperation(result, tenant),
    status: 'replay_initiated',
    entity_id: request.entity_id ?? null,
    as_of: request.to_timestamp ?? null,
    timestamp: new Date().toISOString(),
    message: 'The replay runs in the query service.',
    initiated_by: call.principal.id,
  });
}

interface Operation {
  readonly kind: OperationKind;
  readonly path: string;
  readonly request: object;
  readonly tenant: string;
}

async function carriedOut(
  call: Call,
  { query, metrics }: OperationRoutesOptions,
  { kind, path, request, tenant }: Operation,
): Promise<Record<string, unknown>> {
  const text = await askQuery(call, query, {
    operation: kind,
    method: 'POST',
    path,
    body: JSON.stringify(request),
    tenant,
    onAnswered: (isDone) => metrics.countOperation(kind, isDone ? 'success' : 'refused'),
  });
  return parsedObject(text) ?? {};
}
