import { type Call, readJsonObject } from '@allsource/service-kit/http';

const BODY_BYTES_MAX = 64 * 1024;

/** The body; none at all is an empty object, because every member is optional. */
export function optionalBody(call: Call): Promise<Record<string, unknown>> {
  const { headers } = call.request;
  const hasBody =
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return hasBody ? readJsonObject(call.request, BODY_BYTES_MAX) : Promise.resolve({});
}
