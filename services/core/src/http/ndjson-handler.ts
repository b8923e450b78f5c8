/**
 * The NDJSON lane of the batch route: POST /api/v1/events/batch with content type application/x-ndjson, one event object a line, any number of lines.
 * It stands in front of Express beside the ingest handler, and in front of it, for the two share a path. group-stream.ts has the promises.
 *
 * The order of the checks is that of the ingest handler; form, tenant, idempotency key and expected versions are judged group by group.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '@allsource/shared/access';
import { type Problem, problem } from '@allsource/shared/errors';
import { must } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import { Parameters } from '@allsource/shared/protocol';
import {
  allowLongRequest,
  type Guard,
  isNdjson,
  sendProblem,
  type TenantResolver,
  toProblem,
} from '@allsource/service-kit/http';
import type { HttpMetrics } from '@allsource/service-kit/observability';
import { bodyDigest } from '../append/body-digest.ts';
import type { EventGroup, ReadGroup } from '../append/event-group.ts';
import { lineOfEvent, parseLines } from '../append/ingest-lines.ts';
import type { IngestContext } from '../append/ingest-request.ts';
import { type CutGroup, LineCutter } from '../append/line-cutter.ts';
import { appendTarget, BATCH_PATH, streamKey } from './append-route.ts';
import { bodyChunks, requireIdentityEncoding } from './body-chunks.ts';
import { GroupStream, type GroupStreamParts } from './group-stream.ts';

export interface NdjsonHandlerOptions extends GroupStreamParts {
  readonly guard: Guard;
  readonly resolveTenant: TenantResolver;
  readonly httpMetrics: HttpMetrics;
  /** A problem while the service takes no appends (it is stopping); null otherwise. */
  readonly closedFor: () => Problem | null;
  /** How long a client may stand still; the limit of LIMITS when left out. */
  readonly silenceMs?: number;
}

export class NdjsonHandler {
  readonly #options: NdjsonHandlerOptions;

  constructor(options: NdjsonHandlerOptions) {
    this.#options = options;
  }

  /** Serves the request if it is a batch of lines; returns false, and leaves it alone, otherwise. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== 'POST' || !isNdjson(request)) return false;
    if (appendTarget(request.url ?? '')?.path !== BATCH_PATH) return false;
    this.#options.httpMetrics.observe(request, response, `${BATCH_PATH} (ndjson)`);
    void this.#serve(request, response);
    return true;
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#append(request, response);
    } catch (error) {
      this.#refuse(response, toProblem(error));
    }
  }

  async #append(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const principal = this.#requireOpen(request);
    requireIdentityEncoding(request);
    const query = Parameters.ofUrl(request.url ?? '');
    const key = streamKey(request.headers);
    const cutter = this.#cutter(query);
    allowLongRequest(request);
    await new GroupStream({
      ...this.#options,
      request,
      response,
      key,
      unit: 'line',
      groups: this.#groups(request, cutter),
      tenantOf: this.#tenants(principal, query.text('tenant_id')),
      requireOpen: () => void this.#requireOpen(request),
    }).run();
  }

  #requireOpen(request: IncomingMessage): Principal {
    const principal = must(this.#options.guard(request, 'write'), 'an append has a principal');
    const closed = this.#options.closedFor();
    if (closed !== null) throw closed;
    return principal;
  }

  #cutter(query: Parameters): LineCutter {
    const { limits } = this.#options;
    const linesMax = limits.batchEventsMax;
    return new LineCutter({
      linesMax:
        query.integer('group_lines', { min: 1, max: linesMax }) ??
        Math.min(LIMITS.streamGroupLinesDefault, linesMax),
      bytesMax: LIMITS.streamGroupBytesMax,
      lineBytesMax: limits.payloadBytesMax + LIMITS.metadataBytesMax + LIMITS.lineOverheadBytesMax,
    });
  }

  async *#groups(request: IncomingMessage, cutter: LineCutter): AsyncGenerator<EventGroup> {
    for await (const chunk of bodyChunks(request, this.#options.silenceMs))
      for (const group of cutter.push(chunk)) yield new LinesOfEvents(group, this.#options);
    for (const group of cutter.end()) yield new LinesOfEvents(group, this.#options);
  }

  /** All lines of a stream name the same tenant, or none does; a tenant in the query wins over theirs. */
  #tenants(principal: Principal, asked: string | null) {
    let first: string | null | undefined;
    return (named: string | null, group: EventGroup): string => {
      if (first === undefined) first = named;
      if (first !== named) throw otherTenant(group.placeOf(0));
      return this.#options.resolveTenant(principal, asked ?? named);
    };
  }

  #refuse(response: ServerResponse, failure: Problem): void {
    const traceId = randomUUID();
    const { metrics, logger } = this.#options;
    metrics.countRefused(failure.code);
    if (failure.isFault)
      logger.error({ err: failure.cause ?? failure, traceId }, 'streamed append failed');
    sendProblem(response, failure, { edge: 'core', context: { instance: BATCH_PATH, traceId } });
  }
}

function otherTenant(line: number): Problem {
  return problem(
    'invalid_body',
    `All lines must name the same tenant_id (line ${line}; nothing of its group was stored).`,
    { pointer: '/tenant_id', line },
  );
}

class LinesOfEvents implements EventGroup {
  readonly first: number;
  readonly last: number;
  readonly #group: CutGroup;
  readonly #parts: GroupStreamParts;

  constructor(group: CutGroup, parts: GroupStreamParts) {
    this.first = group.firstLine;
    this.last = group.lastLine;
    this.#group = group;
    this.#parts = parts;
  }

  read(context: IngestContext): ReadGroup {
    const scanned = this.#parts.journal.scanLines(this.#group, context);
    if (scanned !== null)
      return { tenant: scanned.tenant, eventCount: scanned.eventCount, events: scanned };
    const { tenant, events } = parseLines(this.#whole(), context, this.first);
    return { tenant, eventCount: events.length, events };
  }

  placeOf(index: number): number {
    return lineOfEvent(this.#whole(), index, this.first);
  }

  digest(): Buffer {
    return bodyDigest('lines', this.#group.parts);
  }

  #whole(): Buffer {
    return Buffer.concat(this.#group.parts);
  }
}
