import type { ServerResponse } from 'node:http';
import {
  type ErrorEdge,
  PROBLEM_CONTENT_TYPE,
  Problem,
  type ProblemContext,
  problem,
  problemHeaders,
  problemToWire,
} from '@allsource/shared/errors';
import { discardBody } from './discard-body.ts';

/** Makes a problem of anything thrown. What is not a problem becomes `internal`; its text stays inside and goes to the log. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return problem(
    'internal',
    'The request could not be served. The log of the service says why.',
    {},
    error,
  );
}

/** Where a problem is answered. */
export interface ProblemPlace {
  readonly edge: ErrorEdge;
  readonly context?: ProblemContext;
}

/** The lines of a problem's headers, for a lane that writes its own heads. */
export function problemHeaderLines(failure: Problem): string {
  const lines = Object.entries(problemHeaders(failure)).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return lines.join('');
}

/** The JSON text that answers a problem at an edge. */
export function problemBody(failure: Problem, { edge, context }: ProblemPlace): string {
  return JSON.stringify(problemToWire(failure, edge, context));
}

/** Answers a problem in the form of this edge. Does nothing when the answer has begun: the socket is closed instead. */
export function sendProblem(response: ServerResponse, failure: Problem, where: ProblemPlace): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const body = problemBody(failure, where);
  response.statusCode = failure.status;
  response.setHeader('content-type', PROBLEM_CONTENT_TYPE);
  response.setHeader('content-length', Buffer.byteLength(body));
  for (const [name, value] of Object.entries(problemHeaders(failure)))
    response.setHeader(name, value);
  discardBody(response.req);
  response.end(body);
}
