import type { IncomingMessage } from 'node:http';
import { readJsonObject } from '@allsource/service-kit/http';

const BODY_BYTES_MAX = 64 * 1024;

/** The small body of a request all of whose members may be left out: none at all is an empty object. */
export function optionalBody(request: IncomingMessage): Promise<Record<string, unknown>> {
  const { headers } = request;
  const hasBody =
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return hasBody ? readJsonObject(request, BODY_BYTES_MAX) : Promise.resolve({});
}
