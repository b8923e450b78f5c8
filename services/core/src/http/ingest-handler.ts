/**
 * The append routes on Node's HTTP server, in front of Express. It serves every append whose HTTP is not of the plain form that the lean lane takes
 * (append-lane/): chunked bodies, `Expect`, bodies over the limit, refusals before the body.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { readBodyParts, sendProblem, toProblem } from '@allsource/service-kit/http';
import type { HttpMetrics } from '@allsource/service-kit/observability';
import {
  type AppendAnswer,
  type AppendHead,
  type AppendRoute,
  appendTarget,
} from './append-route.ts';

export class IngestHandler {
  readonly #route: AppendRoute;
  readonly #httpMetrics: HttpMetrics;

  constructor(route: AppendRoute, httpMetrics: HttpMetrics) {
    this.#route = route;
    this.#httpMetrics = httpMetrics;
  }

  /** Serves the request if it is one of the append routes; returns false, and leaves it alone, otherwise. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== 'POST') return false;
    const target = appendTarget(request.url ?? '');
    if (target === null) return false;
    this.#httpMetrics.observe(request, response, target.path);
    void this.#serve(request, response, { ...target, headers: request.headers });
    return true;
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    head: AppendHead,
  ): Promise<void> {
    const hold = this.#route.bodies.hold();
    try {
      const admitted = this.#route.admit(head);
      const parts = await readBodyParts(request, this.#route.bodyBytesMax, hold);
      send(response, await this.#route.append(admitted, parts));
    } catch (error) {
      const failure = toProblem(error);
      const traceId = this.#route.noteRefusal(failure, head.path);
      sendProblem(response, failure, { edge: 'core', context: { instance: head.path, traceId } });
    } finally {
      hold.release();
    }
  }
}

function send(response: ServerResponse, answer: AppendAnswer): void {
  response.writeHead(200, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': answer.body.bytes.length,
    ...(answer.isReplay ? { 'idempotent-replayed': 'true' } : {}),
    ...(answer.schemaWarnings > 0 ? { 'schema-warnings': String(answer.schemaWarnings) } : {}),
  });
  response.end(answer.body.bytes, answer.body.release);
}
