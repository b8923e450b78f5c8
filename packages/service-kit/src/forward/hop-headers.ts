import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { INTERNAL_TOKEN_HEADER } from '@allsource/shared/protocol';

/** Headers that speak of one connection, not of the message (RFC 9110, 7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

// The internal token would make a client one of us; `host` names the service in front, which answers `expect` itself.
const NEVER_FORWARDED: ReadonlySet<string> = new Set([INTERNAL_TOKEN_HEADER, 'host', 'expect']);

/** The headers of a client's request that go on to the service behind. */
export function requestHeadersOnward(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return endToEnd(headers, (name) => !NEVER_FORWARDED.has(name));
}

/** The headers of an answer that go back to the client. */
export function answerHeadersBack(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return endToEnd(headers, () => true);
}

function endToEnd(
  headers: IncomingHttpHeaders,
  isWanted: (name: string) => boolean,
): OutgoingHttpHeaders {
  const named = new Set(
    (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase()),
  );
  // A client cannot have a length or a credential dropped on the way by naming it here.
  for (const name of ['content-length', 'authorization', 'x-api-key']) named.delete(name);
  const kept: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !HOP_BY_HOP.has(name) && !named.has(name) && isWanted(name))
      kept[name] = value;
  }
  return kept;
}
