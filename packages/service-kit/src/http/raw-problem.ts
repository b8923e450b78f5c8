import { STATUS_CODES } from 'node:http';
import { PROBLEM_CONTENT_TYPE, type Problem } from '@allsource/shared/errors';
import { problemBody, problemHeaderLines, type ProblemPlace } from './send-problem.ts';

/** The whole answer, head and body, that refuses a request on a bare socket. The connection is to end behind it. `headers` are further lines, each with its end. */
export function rawProblem(failure: Problem, place: ProblemPlace, headers = ''): string {
  const body = problemBody(failure, place);
  const head = [
    `HTTP/1.1 ${failure.status} ${STATUS_CODES[failure.status]}`,
    'Connection: close',
    `Content-Type: ${PROBLEM_CONTENT_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ].join('\r\n');
  return `${head}\r\n${problemHeaderLines(failure)}${headers}\r\n${body}`;
}
