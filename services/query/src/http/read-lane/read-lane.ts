/**
 * The lean lane of the reads that come most: queries over events, and one event by its id. Plain requests for them are served on the bare socket; a connection on which
 * anything else comes goes to Node's HTTP server, with every unanswered byte, and stays there (docs/decisions/0014-read-lane.md).
 *
 * It has no rules of its own: who may read, which tenant, the gate and the answers are those of the routes (event-routes.ts). Whoever is not admitted at once is
 * handed over, so refusals and keys that are not known yet are Node's on both ways.
 */
import type { IncomingHttpHeaders, Server } from 'node:http';
import { type Authenticator, isPermitted, type Principal } from '@allsource/shared/access';
import { isUuid } from '@allsource/shared/model';
import { streamFormatOf } from '@allsource/shared/protocol';
import { ConnectionLane, Parameters, type TenantResolver } from '@allsource/service-kit/http';
import type { EventRoute } from '../event-routes.ts';
import { ReadConnection } from './read-connection.ts';

export interface ReadLaneOptions {
  /** Does not listen yet. */
  readonly server: Server;
  /** The routes served here, out of which a request finds its own. */
  readonly routes: readonly EventRoute[];
  readonly authenticator: Authenticator;
  readonly resolveTenant: TenantResolver;
  /** Called when an answer has ended. `tenant` is null when it is a refusal. */
  readonly onAnswered: (answered: AnsweredRead) => void;
}

export interface AnsweredRead {
  /** The path pattern of the route. */
  readonly route: string;
  readonly principal: Principal;
  readonly status: number;
  readonly durationMs: number;
}

/** A request that is served here. */
export interface AdmittedRead {
  readonly route: EventRoute;
  readonly principal: Principal;
  readonly tenant: string;
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly pathParameters: Readonly<Record<string, string>>;
}

export type ReadLane = ConnectionLane<ReadConnection>;

const EVENT_PATH = /^\/api(?:\/v1)?\/events\//;
const EVENT_PARAMETER = ':eventId';

/** Puts the lane in front of a server. */
export function openReadLane(options: ReadLaneOptions): ReadLane {
  const admission = new Admission(options);
  const { onAnswered } = options;
  return new ConnectionLane({
    server: options.server,
    serve: (place) => new ReadConnection({ ...place, admission, onAnswered }),
  });
}

/** Says which requests the lane serves. */
export class Admission {
  readonly #options: Pick<ReadLaneOptions, 'authenticator' | 'resolveTenant'>;
  readonly #routes: ReadonlyMap<string, EventRoute>;

  constructor(options: Pick<ReadLaneOptions, 'authenticator' | 'resolveTenant' | 'routes'>) {
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

  /** Null: it is refused, or not known here yet. */
  #tenant(principal: Principal, target: string): string | null {
    // A name may be escaped, and then only decoding tells it.
    const isNamed = target.includes('%') || target.includes('tenant_id');
    const requested = isNamed ? Parameters.ofUrl(target).text('tenant_id') : null;
    try {
      return this.#options.resolveTenant(principal, requested);
    } catch {
      // The same check refuses it on Node's server, with an answer.
      return null;
    }
  }
}
