/** Compaction of the Parquet files, ordered and watched by an administrator. The query service, which keeps the files, does it under the caller's own key. */
import type { Call, Route } from '@allsource/service-kit/http';
import { parseCompactionTenant } from '../operations/operation-request.ts';
import { parsedObject } from '../upstream/answer-members.ts';
import { askQuery, callerParameters, type QueryQuestion } from '../upstream/ask-query.ts';
import type { ServiceClient } from '../upstream/service-client.ts';
import { optionalBody } from './optional-body.ts';

/** A compaction is answered when it is done; merging the largest files takes minutes on a busy machine. */
const COMPACTION_TIMEOUT_MS = 15 * 60_000;

export function compactionOperationRoutes(query: ServiceClient | null): Route[] {
  return [
    {
      method: 'POST',
      path: '/api/v1/operations/compaction',
      needs: 'admin',
      summary: 'Merges the Parquet files of the tenant, and answers when that is done.',
      handle: (call) => compact(call, query),
    },
    {
      method: 'GET',
      path: '/api/v1/operations/compaction/stats',
      needs: 'admin',
      summary: 'What compaction has done for the tenant, and its rules.',
      handle: async (call) => {
        const path = '/api/v1/compaction/stats';
        call.json(200, await ask(call, query, { method: 'GET', path }));
      },
    },
  ];
}

async function compact(call: Call, query: ServiceClient | null): Promise<void> {
  const startedAt = new Date().toISOString();
  const path = '/api/v1/compaction/trigger';
  const timeoutMs = COMPACTION_TIMEOUT_MS;
  const named = parseCompactionTenant(await optionalBody(call));
  const tenant = call.tenant(named ?? call.query.text('tenant_id'));
  const result = await ask(call, query, { method: 'POST', path, timeoutMs, tenant });
  call.json(200, {
    type: 'compaction',
    status: 'completed',
    tenant_id: tenant,
    result: parsedObject(result),
    initiated_by: call.principal.id,
    created_at: startedAt,
    started_at: startedAt,
    completed_at: new Date().toISOString(),
  });
}

/** Asks the query service with the parameters of the caller. */
function ask(
  call: Call,
  query: ServiceClient | null,
  question: Pick<QueryQuestion, 'method' | 'path' | 'tenant' | 'timeoutMs'>,
): Promise<string> {
  const parameters = callerParameters(call);
  return askQuery(call, query, { operation: 'compaction', parameters, ...question });
}
