/**
 * Headers in their plain form, for lanes that read HTTP beside Node's server. What is plain is narrow on purpose, so that two readers of HTTP can never understand one
 * request in two ways: printable ASCII, one header a line with a name of letters, digits and dashes, none of them twice, a Host, and nothing that changes how the body or
 * the connection is read. All else is left to Node's parser.
 */
import type { IncomingHttpHeaders } from 'node:http';

/** What the lines of a plain head look like, each with the line break before it. */
export const PLAIN_LINES = '(?:\\r\\n[A-Za-z0-9-]+:[ -~]*)+';

/** Headers that say how to read the body or what to do with the connection. */
const NOT_PLAIN = new Set([
  'transfer-encoding',
  'content-encoding',
  'expect',
  'upgrade',
  'trailer',
  'te',
]);

/** The headers of lines that look as {@link PLAIN_LINES} says, or null when they are not plain. */
export function plainHeaders(lines: string): IncomingHttpHeaders | null {
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
  const { host, connection = 'keep-alive' } = headers;
  return host !== undefined && connection.toLowerCase() === 'keep-alive' ? headers : null;
}
