/**
 * Keys and tenants are made at core, and this service learns of them a moment later. So that a key works here as soon as core has answered with it, a request
 * whose key or tenant is not known is held back until the fold has reached core's head of that moment; then the guard decides. Known
 * keys pass at once. Before the fold has caught up for the first time nobody is refused as unknown: the answer is 503.
 *
 * The questions of all requests that wait share one answer of core, and a request waits at most `accessWaitMs`, so unknown keys cost little.
 */
import type { IncomingMessage } from 'node:http';
import {
  type AccessDirectory,
  type Authenticator,
  presentedSecret,
} from '@allsource/shared/access';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { Parameters } from '@allsource/shared/protocol';
import type { LogFollower } from '../feed/log-follower.ts';

export interface FreshAccessOptions {
  readonly authenticator: Authenticator;
  readonly directory: AccessDirectory;
  readonly follower: LogFollower;
}

export class FreshAccess {
  readonly #options: FreshAccessOptions;

  constructor(options: FreshAccessOptions) {
    this.#options = options;
  }

  /** True when a decision about this request needs nothing newer. */
  isDecidable(request: IncomingMessage): boolean {
    const { authenticator, directory } = this.#options;
    if (presentedSecret(request.headers) === null) return true;
    if (authenticator.authenticate(request.headers).kind === 'refused') return false;
    const tenant = namedTenant(request.url ?? '');
    return tenant === null || directory.hasTenant(tenant);
  }

  /** Waits until the fold is as new as core was at this call. Throws `starting` or `upstream_unavailable`. */
  async refresh(): Promise<void> {
    const { follower } = this.#options;
    if (!follower.status.hasCaughtUp)
      throw problem('starting', 'The keys are still being read from core. Try again shortly.');
    const head = await follower.coreHead();
    if (await follower.waitFor(head, LIMITS.accessWaitMs)) return;
    throw problem(
      'upstream_unavailable',
      `The newest keys did not come from core within ${LIMITS.accessWaitMs} ms. Try again shortly.`,
    );
  }
}

/** The tenant that a URL names. Null where it names none, or cannot be read: its route refuses that, whatever is known here. */
function namedTenant(url: string): string | null {
  try {
    return Parameters.ofUrl(url).text('tenant_id');
  } catch {
    return null;
  }
}
