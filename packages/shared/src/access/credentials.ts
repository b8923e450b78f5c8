import type { IncomingHttpHeaders } from 'node:http';

/**
 * The secret a request presents: `Authorization` first (with or without the word Bearer, in any case), else `X-API-Key`.
 * Null when there is none, also for an empty bearer.
 */
export function presentedSecret(headers: IncomingHttpHeaders): string | null {
  const authorization = headers.authorization?.trim() ?? '';
  const bearer = /^bearer(?:\s+(.*))?$/is.exec(authorization);
  const fromAuthorization = bearer === null ? authorization : (bearer[1]?.trim() ?? '');
  if (fromAuthorization !== '') return fromAuthorization;
  const apiKey = headers['x-api-key'];
  const first = Array.isArray(apiKey) ? apiKey[0] : apiKey;
  return first === undefined || first.trim() === '' ? null : first.trim();
}
