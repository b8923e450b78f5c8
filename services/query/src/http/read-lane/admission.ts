import type { IncomingHttpHeaders } from 'node:http';
import { type Authenticator, isPermitted, type Principal } from '@allsource/shared/access';
import { isUuid } from '@allsource/shared/model';
import { Parameters, streamFormatOf } from '@allsource/shared/protocol';
import type { TenantResolver } from '@allsource/service-kit/http';
import type { EventRoute } from '../event-routes.ts';

/** A request that is served here. */
export interface AdmittedRead {
  readonly route: EventRoute;
  readonly principal: Principal;
  readonly tenant: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly pathParameters: Readonly<Record<string, string>>;
}

export interface AdmissionOptions {
  /** The routes served in the lane, out of which a request finds its own. */
  readonly routes: readonly EventRoute[];
  readonly authenticator: Authenticator;
  readonly resolveTenant: TenantResolver;
}

const EVENT_PATH = /^\/api(?:\/v1)?\/events\//;
const EVENT_PARAMETER = ':eventId';

/** Says which requests the lane serves. */
export class Admission {
  readonly #options: Omit<AdmissionOptions, 'routes'>;
  readonly #routes: ReadonlyMap<string, EventRoute>;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#routes = new Map(options.routes.map((route) => [route.path, route]));
  }

  /** The request with who asks and what for; null when Node's server is to serve it. */
  admit(target: string, headers: IncomingHttpHeaders): AdmittedRead | null {
    // Streams are answered by Node's server (event-stream-routes.ts).
    const found = streamFormatOf(headers.accept) === null ? this.#find(target) : null;
    if (found === null) return null;
    const outcome = this.#options.authenticator.authenticate(headers);
    if (outcome.kind === 'refused' || !isPermitted(outcome.principal, 'read')) return null;
    const { principal } = outcome;
    const tenant = this.#tenant(principal, target);
    return tenant === null ? null : { ...found, principal, tenant, target, headers };
  }

  #find(target: string): Pick<AdmittedRead, 'route' | 'pathParameters'> | null {
    const mark = target.indexOf('?');
    const path = mark === -1 ? target : target.slice(0, mark);
    const route = this.#routes.get(path);
    if (route !== undefined) return { route, pathParameters: {} };
    const base = EVENT_PATH.exec(path)?.[0] ?? '';
    const eventId = path.slice(base.length);
    const ofEvent = isUuid(eventId) ? this.#routes.get(base + EVENT_PARAMETER) : undefined;
    return ofEvent === undefined ? null : { route: ofEvent, pathParameters: { eventId } };
  }

  /** Null: it is refused, not known here yet, or cannot be read. */
  #tenant(principal: Principal, target: string): string | null {
    // A name may be escaped, and then only decoding tells it.
    const isNamed = target.includes('%') || target.includes('tenant_id');
    try {
      const requested = isNamed ? Parameters.ofUrl(target).text('tenant_id') : null;
      return this.#options.resolveTenant(principal, requested);
    } catch {
      // The same check refuses it on Node's server, with an answer.
      return null;
    }
  }
}
