/**
 * Replays are watched and cancelled at the query service, which carries them out and keeps their records; the control plane keeps nothing. It shows them as operations
 * to administrators, and asks under the caller's own key.
 */
import type { Call, Route } from '@allsource/service-kit/http';
import { type Operation, replayOperation } from '../operations/replay-operation.ts';
import { isRecord, parsedObject } from '../upstream/answer-members.ts';
import { askQuery, type QueryQuestion } from '../upstream/ask-query.ts';
import type { ServiceClient } from '../upstream/service-client.ts';

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
  question: Pick<QueryQuestion, 'method' | 'path'>,
): Promise<Record<string, unknown>> {
  const text = await askQuery(call, query, { operation: 'replay', ...question });
  return parsedObject(text) ?? {};
}
