import { problem } from '../errors/problem.ts';
import { quoted } from '../model/names.ts';

/** The query parameters of a URL. Throws `invalid_parameter`, as `parseUrlQuery` does. */
export function queryOfUrl(url: string): URLSearchParams {
  const start = url.indexOf('?');
  return parseUrlQuery(start === -1 ? '' : url.slice(start + 1));
}

/**
 * The parameters in what stands behind the question mark of a URL. Throws `invalid_parameter` where it is not validly percent-encoded: URLSearchParams takes `%zz` as
 * it stands and bytes that are no UTF-8 as U+FFFD, so that something else would be asked than was meant.
 */
export function parseUrlQuery(query: string): URLSearchParams {
  if (query.includes('%')) requireEncoded(query);
  return new URLSearchParams(query);
}

function requireEncoded(query: string): void {
  const bad = query.split('&').find((pair) => !isEncoded(pair));
  if (bad === undefined) return;
  const [parameter = ''] = bad.split('=', 1);
  throw problem(
    'invalid_parameter',
    `The query string is not validly percent-encoded at ${quoted(parameter)}: a % stands before two hex digits, and the bytes that they write are UTF-8.`,
    { parameter },
  );
}

function isEncoded(pair: string): boolean {
  try {
    decodeURIComponent(pair);
    return true;
  } catch {
    return false;
  }
}
