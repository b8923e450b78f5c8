import type { IncomingMessage } from 'node:http';

// Who asks, and for whom; nothing else of a request goes on. The internal token above all does not.
const PASSED_ON = ['authorization', 'x-api-key', 'idempotency-key', 'x-request-id'] as const;

/** The headers with which a request of this caller goes on to another service: it decides about the caller itself. */
export function callerHeaders(request: IncomingMessage): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = request.headers[name];
    if (typeof value === 'string') headers[name] = value;
  }
  return headers;
}
