/** Compaction of the Parquet files, ordered and watched by an administrator. The query service, which keeps the files, does it under the caller's own key. */
import { problem } from '@allsource/shared/errors';
import type { Call, Route } from '@allsource/service-kit/http';
import { parsedObject } from '../upstream/answer-members.ts';
import { parseCompactionTenant } from '../operations/operation-request.ts';
import { callerHeaders } from '../upstream/caller-headers.ts';
import type { ServiceClient } from '../upstream/service-client.ts';
import { upstreamProblem } from '../upstream/upstream-problem.ts';

/** A compaction is answered when it is done; merging the largest files takes minutes on a busy machine. */
import { optionalBody } from './optional-body.ts';

const COMPACTION_TIMEOUT_MS = 15 * 60_000;
const STATS_TIMEOUT_MS = 60_000;

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
        const question = { method: 'GET', path, timeoutMs: STATS_TIMEOUT_MS } as const;
        call.json(200, await asked(call, query, question));
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
  const result = await asked(call, query, { method: 'POST', path, timeoutMs, tenant });
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

interface Question {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly timeoutMs: number;
  /** The caller's, where it is left out. */
  readonly tenant?: string;
}

/** Asks the query service with the parameters of the caller, and returns the text of its answer. */
async function asked(
  call: Call,
  query: ServiceClient | null,
  { method, path, timeoutMs, tenant = call.tenant() }: Question,
): Promise<string> {
  if (query === null) {
    throw problem(
      'not_available',
      'The query service keeps the Parquet files, and the control plane knows none. Set QUERY_URL.',
      { operation: 'compaction' },
    );
  }
  const parameters = new URL(call.request.originalUrl, 'http://any').searchParams;
  parameters.set('tenant_id', tenant);
  const answer = await query.request({
    method,
    path: `${path}?${parameters.toString()}`,
    headers: callerHeaders(call.request),
    timeoutMs,
  });
  if (answer.status !== 200) throw upstreamProblem(query, answer);
  return answer.text;
}
