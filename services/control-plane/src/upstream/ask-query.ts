import { problem } from '@allsource/shared/errors';
import { queryOfUrl } from '@allsource/shared/protocol';
import type { Call } from '@allsource/service-kit/http';
import type { OperationKind } from '../observability/control-plane-metrics.ts';
import { callerHeaders } from './caller-headers.ts';
import type { ServiceClient, ServiceRequest } from './service-client.ts';
import { upstreamProblem } from './upstream-problem.ts';

const TIMEOUT_MS = 60_000;

/** What the query service does of each kind, in words. */
const PART_OF_QUERY: Readonly<Record<QueryQuestion['operation'], string>> = {
  compaction: 'keeps the Parquet files',
  replay: 'carries out replays',
  snapshot: 'keeps the snapshots',
};

/** What the query service is asked on behalf of a caller. */
export interface QueryQuestion extends Pick<ServiceRequest, 'method' | 'path' | 'body'> {
  readonly operation: OperationKind | 'compaction';
  /** The tenant it is about; the caller's own when left out. */
  readonly tenant?: string;
  /** Parameters beside the tenant. */
  readonly parameters?: URLSearchParams;
  readonly timeoutMs?: number;
  /** Told of an answer, whether it was given what it asked for. */
  readonly onAnswered?: (isDone: boolean) => void;
}

/**
 * Asks the query service under the caller's own key, and returns the text of its answer. What it refuses is thrown with the same words; where the control plane knows
 * no query service it is `not_available`.
 */
export async function askQuery(
  call: Call,
  query: ServiceClient | null,
  question: QueryQuestion,
): Promise<string> {
  const { operation, method, path, body, timeoutMs = TIMEOUT_MS, onAnswered } = question;
  const tenant = question.tenant ?? call.tenant();
  if (query === null) {
    throw problem(
      'not_available',
      `The query service ${PART_OF_QUERY[operation]}, and the control plane knows none. Set QUERY_URL.`,
      { operation },
    );
  }
  const parameters = new URLSearchParams(question.parameters);
  parameters.set('tenant_id', tenant);
  const answer = await query.request({
    method,
    path: `${path}?${parameters.toString()}`,
    headers: callerHeaders(call.request),
    ...(body === undefined ? {} : { body }),
    timeoutMs,
  });
  const isDone = answer.status >= 200 && answer.status < 300;
  onAnswered?.(isDone);
  if (!isDone) throw upstreamProblem(query, answer);
  return answer.text;
}

/** The parameters that the caller has sent. */
export function callerParameters({ request }: Call): URLSearchParams {
  return queryOfUrl(request.originalUrl);
}
