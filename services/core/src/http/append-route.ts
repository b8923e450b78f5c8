/**
 * What the two append routes do with a request, whatever carried it: the lean lane (append-lane/) or Node's own HTTP server (ingest-handler.ts). The order of
 * the checks is fixed: authentication, limits, form, tenant, idempotency key, expected version.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Principal } from '@allsource/shared/access';
import { type Problem, problem } from '@allsource/shared/errors';
import { must } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import type { Clock } from '@allsource/shared/model';
import { parseUrlQuery } from '@allsource/shared/protocol';
import {
  type BodyRoom,
  type Guard,
  requireJson,
  type TenantResolver,
} from '@allsource/service-kit/http';
import type { Logger } from '@allsource/service-kit/observability';
import { batchAnswer, singleAnswer } from '../append/append-answer.ts';
import { bodyDigest } from '../append/body-digest.ts';
import type { AnswerBytes, RequestShape } from '../append/commit-builder.ts';
import {
  type IngestLimits,
  parseBatchRequest,
  parseSingleRequest,
} from '../append/ingest-request.ts';
import type { AppendOutcome, Journal } from '../append/journal.ts';
import type { SchemaGate } from '../schemas/schema-gate.ts';
import type { CoreMetrics } from '../observability/core-metrics.ts';
import type { YoungCollector } from '@allsource/service-kit/lifecycle';

const SINGLE_PATH = '/api/v1/events';
export const BATCH_PATH = '/api/v1/events/batch';

/** The routes served here and what they need, for the route list and the test that walks it. */
export const INGEST_ROUTES = [
  { method: 'POST', path: SINGLE_PATH, needs: 'write', summary: 'Append one event.' },
  {
    method: 'POST',
    path: BATCH_PATH,
    needs: 'write',
    summary: 'Append a batch of events, all or nothing; or lines of them, group by group.',
  },
] as const;

/** The paths of older clients, which write no version. They expect whole events back from a batch. */
const UNVERSIONED_PATHS: ReadonlyMap<string, AppendPath> = new Map([
  ['/api/events', SINGLE_PATH],
  ['/api/events/batch', BATCH_PATH],
]);

export type AppendPath = (typeof INGEST_ROUTES)[number]['path'];

/** The part of a request that comes before its body. */
export interface AppendHead {
  readonly path: AppendPath;
  /** Behind the question mark; empty when there is none. */
  readonly query: string;
  /** True where the client wrote the path without a version. */
  readonly isUnversioned: boolean;
  readonly headers: IncomingHttpHeaders;
}

/** A request that may send its body. */
export interface AdmittedAppend {
  readonly head: AppendHead;
  readonly principal: Principal;
  readonly key: string | null;
}

export interface AppendAnswer {
  readonly body: AnswerBytes;
  /** The key was known, and this is the first answer again. */
  readonly isReplay: boolean;
  /** Payloads that do not fit their schemas and were stored nevertheless. */
  readonly schemaWarnings: number;
}

export interface AppendRouteOptions {
  readonly journal: Journal;
  readonly guard: Guard;
  readonly resolveTenant: TenantResolver;
  readonly clock: Clock;
  readonly limits: IngestLimits & { readonly bodyBytesMax: number };
  readonly metrics: CoreMetrics;
  readonly logger: Logger;
  readonly youngCollector: YoungCollector;
  readonly schemas: SchemaGate;
  /** A problem while the service takes no appends (it is stopping); null otherwise. */
  readonly closedFor: () => Problem | null;
  readonly bodies: BodyRoom;
}

type Appended = Extract<AppendOutcome, { kind: 'appended' }>;

const PARSERS = { single: parseSingleRequest, batch: parseBatchRequest };

export class AppendRoute {
  readonly #options: AppendRouteOptions;

  constructor(options: AppendRouteOptions) {
    this.#options = options;
  }

  get bodyBytesMax(): number {
    return this.#options.limits.bodyBytesMax;
  }

  /** Room for bodies: whoever reads one takes it, and releases it when the body is answered. */
  get bodies(): BodyRoom {
    return this.#options.bodies;
  }

  /** Checks what can be checked before the body is read. Throws a problem. */
  admit(head: AppendHead): AdmittedAppend {
    const { guard } = this.#options;
    const principal = must(guard(head, 'write'), 'an append has a principal');
    this.requireOpen();
    requireJson(head);
    return { head, principal, key: idempotencyKey(head.headers) };
  }

  /** Throws a problem while the service takes no appends. */
  requireOpen(): void {
    const closed = this.#options.closedFor();
    if (closed !== null) throw closed;
  }

  /** Appends the events of a body. The parts are the body's, in order. Throws a problem. */
  async append(admitted: AdmittedAppend, parts: readonly Buffer[]): Promise<AppendAnswer> {
    const { journal, limits, clock, schemas } = this.#options;
    const { head, principal, key } = admitted;
    const context = { limits, now: clock.nowMicros() };
    const shape = head.path === SINGLE_PATH ? 'single' : 'batch';
    // Until the append nothing is awaited: the journal has room for one scanned request. A check that takes turns reads it again.
    const scan = () => journal.scan(parts, shape, context);
    const parsed = scan() ?? PARSERS[shape](joined(parts), context);
    const tenant = this.#tenant(principal, head.query, parsed.tenant);
    const prefer = head.headers.prefer;
    const isRepresentation =
      head.isUnversioned || (prefer !== undefined && isRepresentationWanted(prefer));
    let events = 'generation' in parsed ? parsed : parsed.events;
    if ('length' in events && events.length === 0) {
      const body = answerBytes(batchAnswer(null, isRepresentation));
      return { body, isReplay: false, schemaWarnings: 0 };
    }
    const idempotency = key === null ? null : { key, bodyDigest: bodyDigest(head.path, parts) };
    const isStored = () => idempotency !== null && journal.isKnown(tenant, idempotency);
    const check = schemas.begin(tenant, isStored);
    while (check?.advance(journal.textsOf(events)) === false) {
      await nextTurn();
      if ('generation' in events) events = must(scan(), 'a body that was scanned is scanned again');
    }
    const outcome = requireAppended(await journal.append({ tenant, events, idempotency }));
    this.#count(outcome);
    return {
      body: answerTo(outcome, { shape, isRepresentation }),
      isReplay: outcome.isReplay,
      schemaWarnings: outcome.isReplay ? 0 : (check?.warnings ?? 0),
    };
  }

  #count({ frame, notes }: Appended): void {
    if (notes === null) return;
    const { metrics, youngCollector } = this.#options;
    metrics.countIngested(frame.eventCount, notes.types);
    // The body was about as large as its frame.
    youngCollector.note(frame.bytes.length * 2);
  }

  #tenant(principal: Principal, query: string, named: string | null): string {
    const asked = query === '' ? null : parseUrlQuery(query).get('tenant_id');
    return this.#options.resolveTenant(principal, asked ?? named);
  }

  /** Counts and logs a refusal; returns the trace id that goes into its answer. */
  noteRefusal(failure: Problem, path: string): string {
    const traceId = randomUUID();
    const { metrics, logger } = this.#options;
    metrics.countRefused(failure.code);
    if (failure.isFault)
      logger.error({ err: failure.cause ?? failure, path, traceId }, 'append failed');
    return traceId;
  }
}

/** The route that a URL names, and its query; null when it names none of them. */
export function appendTarget(
  url: string,
): Pick<AppendHead, 'path' | 'query' | 'isUnversioned'> | null {
  const mark = url.indexOf('?');
  const written = mark === -1 ? url : url.slice(0, mark);
  const query = mark === -1 ? '' : url.slice(mark + 1);
  if (written === SINGLE_PATH || written === BATCH_PATH)
    return { path: written, query, isUnversioned: false };
  const path = UNVERSIONED_PATHS.get(written);
  return path === undefined ? null : { path, query, isUnversioned: true };
}

function isRepresentationWanted(prefer: string | string[]): boolean {
  return /\breturn=representation\b/.test(String(prefer));
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
export function streamKey(headers: IncomingHttpHeaders): string | null {
  return idempotencyKey(headers, LIMITS.streamKeyBytesMax);
}

/** The Idempotency-Key of a request; null when it has none. Throws `invalid_idempotency_key`. */
export function idempotencyKey(
  headers: IncomingHttpHeaders,
  bytesMax: number = LIMITS.idempotencyKeyBytesMax,
): string | null {
  const key = headers['idempotency-key'];
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

function joined(parts: readonly Buffer[]): Buffer {
  const [first, ...rest] = parts;
  return first !== undefined && rest.length === 0 ? first : Buffer.concat(parts);
}
