/**
 * A request is handed on between services at most once. The first service that forwards it marks it, and no service forwards a marked request: so
 * two services that each take the other for the owner of a route, or one whose URL leads back to itself, end in an error and not in a loop (I-30).
 * The mark grants nothing; a client that sets it can only have its own request refused.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { problem } from '@allsource/shared/errors';

const FORWARDED_BY_HEADER = 'x-allsource-forwarded-by';

/** The mark of a request that `service` hands on. */
export function forwardedBy(service: string): Record<string, string> {
  return { [FORWARDED_BY_HEADER]: service };
}

/** Throws `forwarding_loop` for a request that has been handed on before. */
export function requireFirstHop(headers: IncomingHttpHeaders): void {
  const by = headers[FORWARDED_BY_HEADER];
  if (by === undefined) return;
  throw problem(
    'forwarding_loop',
    `This request was forwarded by ${String(by)} already, and the service that got it would forward it again. Check that CORE_URL and QUERY_URL name the right services.`,
    { forwarded_by: String(by) },
  );
}
