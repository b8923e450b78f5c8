import type { IncomingMessage } from 'node:http';
import { isPermitted, type Principal } from '@allsource/shared/access';
import { Problem, problem } from '@allsource/shared/errors';

/** Who a request comes from; throws `unauthenticated`. */
export type Authenticate = (request: IncomingMessage) => Principal;

/** The right of a live connection to go on. */
export interface LiveRight {
  readonly tenant: string;
  /** Null while the right holds, otherwise a sentence that says why it ended. */
  readonly fault: () => string | null;
}

/** The principal of a request that may read; throws `unauthenticated` or `forbidden`. */
export function requireReader(request: IncomingMessage, authenticate: Authenticate): Principal {
  const principal = authenticate(request);
  if (isPermitted(principal, 'read')) return principal;
  throw problem(
    'forbidden',
    `This needs the permission 'read', which the role '${principal.role}' does not have.`,
    { permission: 'read', role: principal.role },
  );
}

/** A right that is looked at again and again with the secret the request presented, so that expiry and revocation end it. */
export function rightOf(
  request: IncomingMessage,
  tenant: string,
  authenticate: Authenticate,
): LiveRight {
  const fault = () => {
    try {
      requireReader(request, authenticate);
      return null;
    } catch (error) {
      if (error instanceof Problem) return error.message;
      throw error;
    }
  };
  return { tenant, fault };
}
