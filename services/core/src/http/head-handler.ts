import type { IncomingMessage, ServerResponse } from 'node:http';
import { HEAD_PATH } from '@allsource/shared/protocol';
import type { Guard } from '@allsource/service-kit/http';
import type { HttpMetrics } from '@allsource/service-kit/observability';
import type { DurableLog } from '../read/durable-log.ts';

export interface HeadHandlerOptions {
  readonly log: DurableLog;
  readonly guard: Guard;
  readonly httpMetrics: HttpMetrics;
}

/** The text that answers a question for the head. */
export function headJson(log: DurableLog): string {
  return `{"head":${log.head},"log_id":"${log.logId.toString('hex')}"}`;
}

/** Answers the other services' question for the head in front of Express: every linearizable read waits for it. */
export class HeadHandler {
  readonly #options: HeadHandlerOptions;

  constructor(options: HeadHandlerOptions) {
    this.#options = options;
  }

  /** Serves the request if it is one. False: Express is to serve it, and to refuse it where it must be refused. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const { log, guard, httpMetrics } = this.#options;
    if (request.url !== HEAD_PATH || request.method !== 'GET') return false;
    try {
      guard(request, 'internal');
    } catch {
      // The same check refuses it there, with an answer.
      return false;
    }
    httpMetrics.observe(request, response, HEAD_PATH);
    response.setHeader('content-type', 'application/json; charset=utf-8');
    response.setHeader('cache-control', 'no-store');
    response.end(headJson(log));
    return true;
  }
}
