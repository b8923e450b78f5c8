/**
 * The Express application of a service: request ids, security headers, the routes behind their guard, and one error edge. Routes are
 * registered in the order given, so a fixed path stands before a path with a parameter that would match it too.
 */
import { randomUUID } from 'node:crypto';
import { type ErrorEdge, problem } from '@allsource/shared/errors';
import express, { type Express, type NextFunction, type Request, type Response } from 'express';
import type { Logger } from '../observability/logger.ts';
import type { HttpMetrics } from '../observability/http-metrics.ts';
import type { Guard } from './guard.ts';
import { parameterCheck } from './parameter-check.ts';
import { Call, type Route, type TenantResolver } from './route.ts';
import { sendProblem, toProblem } from './send-problem.ts';

export interface AppOptions {
  readonly edge: ErrorEdge;
  readonly routes: readonly Route[];
  /** Routes served in front of Express, so that a wrong method is told of them as well. */
  readonly servedInFront?: readonly Pick<Route, 'method' | 'path'>[];
  readonly guard: Guard;
  readonly resolveTenant: TenantResolver;
  readonly logger: Logger;
  readonly metrics: HttpMetrics;
}

/** A request id of a client that is taken over. */
export const REQUEST_ID = /^[\w.:-]{1,128}$/;

/** Builds the application. Every answer, also a failure, is JSON and carries `x-request-id`. */
export function createApp(options: AppOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.set('query parser', false);
  app.use(setCommonHeaders);
  for (const route of options.routes) mountRoute(app, route, options);
  app.use((request: Request) => {
    throw unknownRoute(request, [...options.routes, ...(options.servedInFront ?? [])]);
  });
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    answerError(error, { request, response, options });
  });
  return app;
}

function setCommonHeaders(request: Request, response: Response, next: NextFunction): void {
  const given = request.headers['x-request-id'];
  response.setHeader(
    'x-request-id',
    typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID(),
  );
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('cache-control', 'no-store');
  next();
}

function mountRoute(app: Express, route: Route, options: AppOptions): void {
  const method = route.method.toLowerCase() as Lowercase<Route['method']>;
  const checkParameters = parameterCheck(route.isForwarded === true ? undefined : route.doc);
  app[method](route.path, async (request: Request, response: Response) => {
    options.metrics.observe(request, response, route.path);
    const principal = options.guard(request, route.needs);
    const { resolveTenant } = options;
    const call = new Call({ request, response, principal, resolveTenant });
    checkParameters(call.query);
    await route.handle(call);
  });
}

function unknownRoute(request: Request, routes: readonly Pick<Route, 'method' | 'path'>[]): Error {
  const found = routes.filter((route) => pathMatches(route.path, request.path));
  if (found.length > 0) {
    const allowed = Array.from(new Set(found.map((route) => route.method)));
    return problem(
      'method_not_allowed',
      `${request.method} is not offered here; allowed: ${allowed.join(', ')}.`,
      { allowed },
    );
  }
  return problem('route_not_found', `There is no ${request.method} ${request.path}.`);
}

function pathMatches(pattern: string, path: string): boolean {
  const parts = pattern.split('/');
  const given = path.split('/');
  return (
    parts.length === given.length &&
    parts.every((part, i) => part.startsWith(':') || part === given[i])
  );
}

interface FailedRequest {
  readonly request: Request;
  readonly response: Response;
  readonly options: AppOptions;
}

function answerError(error: unknown, { request, response, options }: FailedRequest): void {
  const failure = toProblem(
    isBadPath(error)
      ? problem('invalid_parameter', 'The path is not validly percent-encoded.')
      : error,
  );
  if (failure.isFault)
    options.logger.error({ err: failure.cause ?? failure, path: request.path }, 'request failed');
  const traceId = String(response.getHeader('x-request-id'));
  sendProblem(response, failure, {
    edge: options.edge,
    context: { instance: request.path, traceId },
  });
}

// Express reports a path that decodeURIComponent refuses as a URIError with status 400.
function isBadPath(error: unknown): boolean {
  return error instanceof URIError;
}
