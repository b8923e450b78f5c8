import { timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type Authenticator, isPermitted, type Principal } from '@allsource/shared/access';
import { problem } from '@allsource/shared/errors';
import { INTERNAL_TOKEN_HEADER } from '@allsource/shared/protocol';
import type { RouteNeed } from './route.ts';

export interface GuardOptions {
  readonly authenticator: Authenticator;
  /** The secret of the services among themselves; null where no internal route exists. */
  readonly internalToken: string | null;
}

/** The part of a request that says who it comes from. */
export interface Credentials {
  readonly headers: IncomingHttpHeaders;
}

/** Lets a request in or throws `unauthenticated` or `forbidden`. Returns who it is; null on public and internal routes. */
export type Guard = (request: Credentials, needs: RouteNeed) => Principal | null;

/** Creates the one guard of a service. */
export function createGuard({ authenticator, internalToken }: GuardOptions): Guard {
  return (request, needs) => {
    if (needs === 'public') return null;
    if (needs === 'internal') {
      requireInternal(request, internalToken);
      return null;
    }
    const outcome = authenticator.authenticate(request.headers);
    if (outcome.kind === 'refused') throw outcome.problem;
    if (needs === 'authenticated' || isPermitted(outcome.principal, needs))
      return outcome.principal;
    throw problem(
      'forbidden',
      `This needs the permission '${needs}', which the role '${outcome.principal.role}' does not have.`,
      {
        permission: needs,
        role: outcome.principal.role,
      },
    );
  };
}

function requireInternal(request: Credentials, internalToken: string | null): void {
  const presented = request.headers[INTERNAL_TOKEN_HEADER];
  if (
    internalToken !== null &&
    typeof presented === 'string' &&
    isEqualSecret(presented, internalToken)
  )
    return;
  throw problem('unauthenticated', 'This route serves only the services of this store.');
}

function isEqualSecret(left: string, right: string): boolean {
  const a = Buffer.from(left);
  const b = Buffer.from(right);
  return a.length === b.length && timingSafeEqual(a, b);
}
