/**
 * Reads the head of an append request in its plain form. What is plain is narrow on purpose, so that two readers of HTTP can never understand one request
 * in two ways: HTTP/1.1, printable ASCII, one header a line with a name of letters, digits and dashes, none of them twice, exactly one decimal
 * Content-Length, and nothing that changes how the body or the connection is read. All else is left to Node's parser.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { LIMITS } from '@allsource/shared/limits';
import { type AppendHead, appendTarget } from '../append-route.ts';

/** A plain head: whose body has `bodyBytes` bytes and begins at `bodyAt`. */
export interface PlainHead extends AppendHead {
  readonly bodyBytes: number;
  readonly bodyAt: number;
}

const HEAD_END = '\r\n\r\n';
const PLAIN = /^POST (\/[!-~]*) HTTP\/1\.1((?:\r\n[A-Za-z0-9-]+:[ -~]*)+)$/;
const LENGTH = /^\d{1,9}$/;
/** Headers that say how to read the body or what to do with the connection. */
const NOT_PLAIN = new Set([
  'transfer-encoding',
  'content-encoding',
  'expect',
  'upgrade',
  'trailer',
  'te',
]);

/** Reads the head that `chunk` begins with. Null: it is not there as a whole, or not plain, or of another route. */
export function readPlainHead(chunk: Buffer): PlainHead | null {
  const end = chunk.indexOf(HEAD_END);
  if (end === -1 || end > LIMITS.headerBytesMax) return null;
  const match = PLAIN.exec(chunk.toString('latin1', 0, end));
  if (match === null) return null;
  const target = appendTarget(match[1] as string);
  const headers = target === null ? null : plainHeaders(match[2] as string);
  if (target === null || headers === null) return null;
  const length = headers['content-length'] as string;
  return {
    ...target,
    headers,
    bodyBytes: Number(length),
    bodyAt: end + HEAD_END.length,
  };
}

/** The headers of the lines, or null when they are not plain. */
function plainHeaders(lines: string): IncomingHttpHeaders | null {
  const headers: Record<string, string> = Object.create(null);
  for (let at = 2; at < lines.length; ) {
    const next = lines.indexOf('\r\n', at);
    const end = next === -1 ? lines.length : next;
    const colon = lines.indexOf(':', at);
    const name = lines.slice(at, colon).toLowerCase();
    if (name in headers || NOT_PLAIN.has(name)) return null;
    headers[name] = lines.slice(colon + 1, end).trim();
    at = end + 2;
  }
  const { host, connection = 'keep-alive', 'content-length': length = '' } = headers;
  const isKept = connection.toLowerCase() === 'keep-alive';
  return host !== undefined && isKept && LENGTH.test(length) ? headers : null;
}
