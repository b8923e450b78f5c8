/**
 * How a problem looks on the wire. Every edge answers RFC 9457 members; what differs is the `error` member, because existing
 * clients of each port read it differently:
 *
 *     core           "error": "Invalid input: Event type ..."      a string; 409 version_conflict is flat and exact
 *     gateway        "error": {"code", "message", ...}             an object
 *     control plane  "error": "<slug>", "message": "..."           the code beside the message; a 401 says "unauthorized"
 */
import { ERROR_CATALOGUE, type ErrorCode } from './catalogue.ts';
import type { Problem } from './problem.ts';

export type ErrorEdge = 'core' | 'gateway' | 'control-plane';

export const PROBLEM_CONTENT_TYPE = 'application/problem+json';

/** Says which event of an append met a conflict, from 0: at core the body has no room for it. */
export const CONFLICT_INDEX_HEADER = 'conflict-index';

/** The headers that go with the body of a problem, whichever the edge; names are in lower case. */
export function problemHeaders({ code, status, members }: Problem): Record<string, string> {
  const comesBack = status === 503 && ERROR_CATALOGUE[code].retryable;
  const { allowed, index } = members;
  return {
    ...(status === 401 ? { 'www-authenticate': 'Bearer realm="allsource"' } : {}),
    ...(comesBack ? { 'retry-after': RETRY_AFTER_S } : {}),
    ...(status === 405 && Array.isArray(allowed) ? { allow: allowed.join(', ') } : {}),
    ...(code === 'version_conflict' && typeof index === 'number'
      ? { [CONFLICT_INDEX_HEADER]: String(index) }
      : {}),
  };
}

const RETRY_AFTER_S = '1';

/** What is added to every problem: the request's path and its trace id. */
export interface ProblemContext {
  readonly instance?: string;
  readonly traceId?: string;
}

/** The body that answers a problem at an edge. */
export function problemToWire(
  problem: Problem,
  edge: ErrorEdge,
  context: ProblemContext = {},
): Record<string, unknown> {
  if (edge === 'core' && problem.code === 'version_conflict') return coreVersionConflict(problem);
  const { title, status, retryable } = ERROR_CATALOGUE[problem.code];
  return {
    ...errorMember(problem, edge),
    type: `urn:allsource:problem:${problem.code}`,
    title,
    status,
    detail: problem.message,
    code: problem.code,
    retryable,
    ...context,
    ...problem.members,
  };
}

function errorMember(problem: Problem, edge: ErrorEdge): Record<string, unknown> {
  switch (edge) {
    case 'core':
      // Existing clients know this one as an object, on core too.
      if (problem.code === 'schema_violation') return errorMember(problem, 'gateway');
      return { error: ERROR_CATALOGUE[problem.code].corePrefix + problem.message };
    case 'gateway':
      return { error: { code: problem.code, message: problem.message, ...problem.members } };
    case 'control-plane':
      return { error: SLUGS[problem.code] ?? problem.code, message: problem.message };
  }
}

// What clients of the control plane know by another word.
const SLUGS: { readonly [code in ErrorCode]?: string } = { unauthenticated: 'unauthorized' };

// Existing SDKs match these three keys exactly and take anything else for a different error.
function coreVersionConflict(problem: Problem): Record<string, unknown> {
  const { expected_version, current_version } = problem.members;
  return { error: 'version_conflict', expected_version, current_version };
}

const COMMON_MEMBERS: ReadonlySet<string> = new Set([
  'error',
  'message',
  'type',
  'title',
  'status',
  'detail',
  'code',
  'retryable',
  'instance',
  'traceId',
]);

/** The facts in the body of an error: its members beside those that every problem has. */
export function problemFacts(body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !COMMON_MEMBERS.has(name)));
}
