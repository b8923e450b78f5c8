/**
 * A route declares what it needs; there is no other way to register one, so none is open by omission. Needs:
 *     public      nobody has to be known
 *     internal    another service of ours, by the internal token; never a client
 *     authenticated   any valid key or token
 *     <permission>    a principal whose role includes it
 */
import type { Permission, Principal } from '@allsource/shared/access';
import { assert } from '@allsource/shared/lang';
import type { RouteDoc } from '@allsource/shared/openapi';
import { Parameters } from '@allsource/shared/protocol';
import type { Request, Response } from 'express';

export type RouteNeed = 'public' | 'internal' | 'authenticated' | Permission;
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Route {
  readonly method: Method;
  /** An Express 5 path, such as /api/v1/events/:eventId. Parameters arrive percent-decoded. */
  readonly path: string;
  readonly needs: RouteNeed;
  /** One line for the route list and the API document. */
  readonly summary: string;
  /** What the API document says of it. Its parameters are checked against this before the route is called. */
  readonly doc?: RouteDoc;
  /** Another service answers, and checks the request itself: it goes there as it came. */
  readonly isForwarded?: true;
  readonly handle: (call: Call) => Promise<void> | void;
}

/** Resolves the tenant a principal works in; see resolveTenant in shared/access. */
export type TenantResolver = (principal: Principal, requested: string | null) => string;

export interface CallOptions {
  readonly request: Request;
  readonly response: Response;
  readonly principal: Principal | null;
  readonly resolveTenant: TenantResolver;
}

/** One request on its way through a route: who asks, what for, and how to answer. */
export class Call {
  readonly request: Request;
  readonly response: Response;
  readonly query: Parameters;
  readonly #principal: Principal | null;
  readonly #resolveTenant: TenantResolver;

  constructor(options: CallOptions) {
    this.request = options.request;
    this.response = options.response;
    this.query = Parameters.ofUrl(options.request.originalUrl);
    this.#principal = options.principal;
    this.#resolveTenant = options.resolveTenant;
  }

  /** Who asks. Only on routes that need somebody. */
  get principal(): Principal {
    assert(this.#principal !== null, 'a route that asks for its principal must need one');
    return this.#principal;
  }

  /** The tenant the request works in: the principal's own, or for an admin the one named by `tenant_id` (query or given here). */
  tenant(requested: string | null = this.query.text('tenant_id')): string {
    return this.#resolveTenant(this.principal, requested);
  }

  /** A path parameter, percent-decoded. */
  pathParameter(name: string): string {
    const value = this.request.params[name];
    assert(typeof value === 'string', `the path has no parameter ${name}`);
    return value;
  }

  /** Answers JSON: an object that is printed here, or text that is JSON already. */
  json(status: number, body: object | string): void {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    this.response.status(status).setHeader('content-type', 'application/json; charset=utf-8');
    this.response.end(text);
  }

  /** Answers JSON that is there in parts, so that nobody has to put a large one together. */
  jsonParts(status: number, parts: readonly (string | Buffer)[]): void {
    const { response } = this;
    const bytes = parts.reduce((sum, part) => sum + Buffer.byteLength(part), 0);
    response.status(status).setHeader('content-type', 'application/json; charset=utf-8');
    response.setHeader('content-length', bytes);
    for (const part of parts) response.write(part);
    response.end();
  }

  /** Answers a status without a body. */
  empty(status: number): void {
    this.response.status(status).end();
  }
}
