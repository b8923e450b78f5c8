/**
 * Replays are watched and cancelled at the query service, which carries them out and keeps their records; the control plane keeps nothing. It shows them as operations
 * to administrators, and asks under the caller's own key.
 */
import { problem } from '@allsource/shared/errors';
import type { Call, Route } from '@allsource/service-kit/http';
import { type Operation, replayOperation } from '../operations/replay-operation.ts';
import { isRecord, parsedObject } from '../upstream/answer-members.ts';
import { callerHeaders } from '../upstream/caller-headers.ts';
import type { ServiceClient, ServiceRequest } from '../upstream/service-client.ts';
import { upstreamProblem } from '../upstream/upstream-problem.ts';

const TIMEOUT_MS = 60_000;
const BASE = '/api/v1/operations';

/** Listing, watching and cancelling replays. */
export function replayOperationRoutes(query: ServiceClient | null): Route[] {
  const list = (path: string, summary: string): Route => ({
    method: 'GET',
    path: BASE + path,
    needs: 'admin',
    summary,
    handle: (call) => listReplays(call, query),
  });
  return [
    list('/replay', 'The replays of the tenant, the newest first.'),
    list('/history', 'The operations of the tenant that leave a record, which are its replays.'),
    {
      method: 'GET',
      path: `${BASE}/replay/:operationId`,
      needs: 'admin',
      summary: 'How far a replay is.',
      handle: async (call) => call.json(200, await oneReplay(call, query)),
    },
    {
      method: 'POST',
      path: `${BASE}/replay/:operationId/cancel`,
      needs: 'admin',
      summary: 'Cancels a replay that has not ended.',
      handle: async (call) => {
        await ask(call, query, { method: 'POST', path: `${replayPath(call)}/cancel` });
        call.json(200, await oneReplay(call, query));
      },
    },
  ];
}

async function listReplays(call: Call, query: ServiceClient | null): Promise<void> {
  const { replays } = await ask(call, query, { method: 'GET', path: '/api/v1/replay' });
  const tenant = call.tenant();
  const rows = Array.isArray(replays) ? replays.filter(isRecord) : [];
  const operations = rows.map((replay) => replayOperation(replay, tenant));
  call.json(200, { operations, total: operations.length });
}

async function oneReplay(call: Call, query: ServiceClient | null): Promise<Operation> {
  const replay = await ask(call, query, { method: 'GET', path: replayPath(call) });
  return replayOperation(replay, call.tenant());
}

function replayPath(call: Call): string {
  return `/api/v1/replay/${encodeURIComponent(call.pathParameter('operationId'))}`;
}

async function ask(
  call: Call,
  query: ServiceClient | null,
  { method, path }: Pick<ServiceRequest, 'method' | 'path'>,
): Promise<Record<string, unknown>> {
  const tenant = call.tenant();
  if (query === null) {
    throw problem(
      'not_available',
      'The query service carries out replays, and the control plane knows none. Set QUERY_URL.',
      { operation: 'replay' },
    );
  }
  const answer = await query.request({
    method,
    path: `${path}?tenant_id=${encodeURIComponent(tenant)}`,
    headers: callerHeaders(call.request),
    timeoutMs: TIMEOUT_MS,
  });
  if (answer.status < 200 || answer.status >= 300) throw upstreamProblem(query, answer);
  return parsedObject(answer.text) ?? {};
}
