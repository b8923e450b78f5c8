/**
 * The two append routes, on the bare HTTP server in front of Express: they are the hot path, and nothing of Express is needed for them. The order of the
 * checks is fixed: authentication, limits, form, tenant, idempotency key, expected version.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Principal } from '@allsource/shared/access';
import { type Problem, problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import type { Clock } from '@allsource/shared/model';
import { BODY_DIGEST_BYTES } from '@allsource/shared/protocol';
import {
  type Guard,
  readBodyParts,
  requireJson,
  sendProblem,
  type TenantResolver,
  toProblem,
} from '@allsource/service-kit/http';
import type { HttpMetrics, Logger } from '@allsource/service-kit/observability';
import { batchAnswer, singleAnswer } from '../append/append-answer.ts';
import type { AnswerBytes, RequestShape } from '../append/commit-builder.ts';
import {
  type IngestLimits,
  parseBatchRequest,
  parseSingleRequest,
} from '../append/ingest-request.ts';
import type { AppendOutcome, Journal } from '../append/journal.ts';
import type { CoreMetrics } from '../observability/core-metrics.ts';

const SINGLE_PATH = '/api/v1/events';
export const BATCH_PATH = '/api/v1/events/batch';

/** The routes this handler serves and what they need, for the route list and the test that walks it. */
export const INGEST_ROUTES = [
  { method: 'POST', path: SINGLE_PATH, needs: 'write', summary: 'Append one event.' },
  {
    method: 'POST',
    path: BATCH_PATH,
    needs: 'write',
    summary: 'Append a batch of events, all or nothing.',
  },
] as const;

export interface IngestHandlerOptions {
  readonly journal: Journal;
  readonly guard: Guard;
  readonly resolveTenant: TenantResolver;
  readonly clock: Clock;
  readonly limits: IngestLimits & { readonly bodyBytesMax: number };
  readonly httpMetrics: HttpMetrics;
  readonly metrics: CoreMetrics;
  readonly logger: Logger;
  /** A problem while the service takes no appends (it is stopping); null otherwise. */
  readonly closedFor: () => Problem | null;
}

interface Answer {
  readonly body: AnswerBytes;
  readonly isReplay: boolean;
}

type Appended = Extract<AppendOutcome, { kind: 'appended' }>;

const PARSERS = { single: parseSingleRequest, batch: parseBatchRequest };

export class IngestHandler {
  readonly #options: IngestHandlerOptions;

  constructor(options: IngestHandlerOptions) {
    this.#options = options;
  }

  /** Serves the request if it is one of the append routes; returns false, and leaves it alone, otherwise. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    if (request.method !== 'POST') return false;
    const path = pathOf(request.url ?? '');
    if (path !== SINGLE_PATH && path !== BATCH_PATH) return false;
    this.#options.httpMetrics.observe(request, response, path);
    void this.#serve(request, response, path);
    return true;
  }

  async #serve(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    try {
      this.#send(response, await this.#answer(request, path));
    } catch (error) {
      this.#refuse(response, toProblem(error), path);
    }
  }

  async #answer(request: IncomingMessage, path: string): Promise<Answer> {
    const { guard, journal, limits, clock, closedFor } = this.#options;
    const principal = guard(request, 'write');
    const closed = closedFor();
    if (closed !== null) throw closed;
    requireJson(request);
    const key = idempotencyKey(request);
    const parts = await readBodyParts(request, limits.bodyBytesMax);
    const context = { limits, now: clock.nowMicros() };
    const shape = path === SINGLE_PATH ? 'single' : 'batch';
    // Until the append nothing is awaited: the journal has room for one scanned request.
    const scanned = journal.scan(parts, shape, context);
    const parsed = scanned ?? PARSERS[shape](joined(parts), context);
    const tenant = this.#tenant(request, principal, parsed.tenant);
    const isRepresentation = /\breturn=representation\b/.test(String(request.headers.prefer ?? ''));
    const events = 'generation' in parsed ? parsed : parsed.events;
    if ('length' in events && events.length === 0)
      return { body: answerBytes(batchAnswer(null, isRepresentation)), isReplay: false };
    const idempotency = key === null ? null : { key, bodyDigest: digest(path, parts) };
    const outcome = requireAppended(await journal.append({ tenant, events, idempotency }));
    this.#count(outcome);
    return { body: answerTo(outcome, { shape, isRepresentation }), isReplay: outcome.isReplay };
  }

  #count({ frame, notes }: Appended): void {
    if (notes !== null) this.#options.metrics.countIngested(frame.eventCount, notes.types);
  }

  #tenant(request: IncomingMessage, principal: Principal | null, named: string | null): string {
    if (principal === null) throw problem('unauthenticated', 'An append needs a principal.');
    const query = new URLSearchParams((request.url ?? '').split('?')[1] ?? '').get('tenant_id');
    return this.#options.resolveTenant(principal, query ?? named);
  }

  #send(response: ServerResponse, answer: Answer): void {
    response.writeHead(200, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': answer.body.bytes.length,
      ...(answer.isReplay ? { 'idempotent-replayed': 'true' } : {}),
    });
    response.end(answer.body.bytes, answer.body.release);
  }

  #refuse(response: ServerResponse, failure: Problem, path: string): void {
    const traceId = randomUUID();
    this.#options.metrics.countRefused(failure.code);
    if (failure.status >= 500)
      this.#options.logger.error({ err: failure.cause ?? failure, path, traceId }, 'append failed');
    sendProblem(response, failure, { edge: 'core', context: { instance: path, traceId } });
  }
}

/** The path of a request target, without its query. */
export function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}

function answerTo(
  { frame, notes }: Appended,
  form: { readonly shape: RequestShape; readonly isRepresentation: boolean },
): AnswerBytes {
  const { shape, isRepresentation } = form;
  const isWritten = shape === 'single' || !isRepresentation;
  if (isWritten && notes !== null && notes.answer !== null) return notes.answer;
  return answerBytes(
    shape === 'single' ? singleAnswer(frame) : batchAnswer(frame, isRepresentation),
  );
}

function answerBytes(text: string): AnswerBytes {
  return { bytes: Buffer.from(text, 'utf8'), release: () => {} };
}

/** The outcome of an append that took place; throws `version_conflict` for the other. */
export function requireAppended(outcome: AppendOutcome): Appended {
  if (outcome.kind === 'appended') return outcome;
  const { index, expected, current } = outcome;
  throw problem(
    'version_conflict',
    `Event ${index} expects version ${expected}, but the entity is at version ${current}.`,
    {
      expected_version: expected,
      current_version: current,
      index,
    },
  );
}

/** The Idempotency-Key of a stream, which is shorter: group-stream.ts adds the number of the group. */
export function streamKey(request: IncomingMessage): string | null {
  return idempotencyKey(request, LIMITS.streamKeyBytesMax);
}

function idempotencyKey(
  request: IncomingMessage,
  bytesMax: number = LIMITS.idempotencyKeyBytesMax,
): string | null {
  const key = request.headers['idempotency-key'];
  if (key === undefined) return null;
  const text = Array.isArray(key) ? key.join(',') : key;
  const bytes = Buffer.byteLength(text);
  if (bytes >= 1 && bytes <= bytesMax) return text;
  throw problem(
    'invalid_idempotency_key',
    `The Idempotency-Key is ${bytes} bytes; allowed are 1 to ${bytesMax}.`,
    {
      limit_bytes: bytesMax,
    },
  );
}

// The route is part of the digest: the same bytes mean different things to the single and the batch route.
function digest(path: string, parts: readonly Buffer[]): Buffer {
  const hash = createHash('sha256').update(path).update('\n');
  for (const part of parts) hash.update(part);
  return hash.digest().subarray(0, BODY_DIGEST_BYTES);
}

function joined(parts: readonly Buffer[]): Buffer {
  const [first, ...rest] = parts;
  return first !== undefined && rest.length === 0 ? first : Buffer.concat(parts);
}
