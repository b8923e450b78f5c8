import { type Problem, problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';

/** Node's code for a request that has not come whole in time. */
export const TIMED_OUT = 'ERR_HTTP_REQUEST_TIMEOUT';
const HEADERS_OVER_LIMIT = 'HPE_HEADER_OVERFLOW';

/** What is wrong with a request that Node's parser gave up. */
export function brokenRequest(error: NodeJS.ErrnoException): Problem {
  if (error.code === HEADERS_OVER_LIMIT)
    return problem(
      'headers_too_large',
      `The URL and the headers are over the limit of ${LIMITS.headerBytesMax} bytes together. Send less in them.`,
      { limit_bytes: LIMITS.headerBytesMax },
    );
  if (error.code === TIMED_OUT)
    return problem('request_too_slow', 'The request did not come whole in time. Send it again.');
  return problem(
    'malformed_request',
    `The request is not HTTP/1.1 as it should be: ${reasonOf(error)}. The connection is closed.`,
  );
}

/** What the parser says, such as "Invalid character in Content-Length". */
function reasonOf(error: NodeJS.ErrnoException): string {
  return error.message.replace(/^Parse Error: /, '').replace(/\.$/, '');
}
