import { isRecord } from './is-record.ts';

export interface AllSourceErrorOptions {
  readonly code: string;
  readonly status: number | null;
  readonly retryable: boolean;
  readonly problem?: Readonly<Record<string, unknown>> | null;
  readonly retryAfterMs?: number | null;
  readonly cause?: unknown;
}

/**
 * Every failure of a call. `code` is stable and made for branching: the server's own code (`version_conflict`, `entity_not_found`,
 * `unauthenticated`, ...) or one of the client's: `unreachable`, `timeout`, `bad_answer`, `circuit_open`, `closed`. The subclasses say the same by
 * `instanceof`, and carry the numbers to act on.
 *
 * @example
 * ```ts
 * try {
 *   await core.ingestEvent({ eventType: 'order.placed', entityId: 'order-1', payload: { total: 42 } });
 * } catch (error) {
 *   if (error instanceof AllSourceError && error.code === 'overloaded') console.log('try later');
 *   else throw error;
 * }
 * ```
 */
export class AllSourceError extends Error {
  override readonly name: string = 'AllSourceError';
  readonly code: string;
  /** The HTTP status; null when no answer came. */
  readonly status: number | null;
  /** True when the same call may succeed later without being changed. */
  readonly retryable: boolean;
  /** The members of the server's problem, with the numbers needed to act; null when no answer came. */
  readonly problem: Readonly<Record<string, unknown>> | null;
  /** How long the server asks to wait; null when it does not say. */
  readonly retryAfterMs: number | null;

  constructor(message: string, options: AllSourceErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.status = options.status;
    this.retryable = options.retryable;
    this.problem = options.problem ?? null;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** An append expected another version than the entity has (409). Read the entity again and decide again. */
export class VersionConflictError extends AllSourceError {
  override readonly name = 'VersionConflictError';
  readonly expectedVersion: number;
  readonly currentVersion: number;
  /** Which event of the append it was, from 0; null where the server does not say. */
  readonly index: number | null;

  constructor(message: string, options: AllSourceErrorOptions) {
    super(message, { ...options, retryable: false });
    this.expectedVersion = numberIn(options.problem, 'expected_version');
    this.currentVersion = numberIn(options.problem, 'current_version');
    const index = options.problem?.['index'];
    this.index = typeof index === 'number' ? index : null;
  }
}

/** The store limits how often it is asked (429); `retryAfterMs` says how long to wait. */
export class RateLimitedError extends AllSourceError {
  override readonly name = 'RateLimitedError';
}

/** The tenant has used what it may use (402); `problem` says of what, and how much. */
export class QuotaExceededError extends AllSourceError {
  override readonly name = 'QuotaExceededError';
}

/** The key is missing, unknown or expired (401). */
export class UnauthenticatedError extends AllSourceError {
  override readonly name = 'UnauthenticatedError';
}

/** The key may not do this (403). */
export class ForbiddenError extends AllSourceError {
  override readonly name = 'ForbiddenError';
}

/** What was asked for does not exist (404). */
export class NotFoundError extends AllSourceError {
  override readonly name = 'NotFoundError';
}

/** The store refuses what was sent: a wrong name, a broken limit, a payload that does not fit its schema (400, 413, 415, 422). */
export class InvalidRequestError extends AllSourceError {
  override readonly name = 'InvalidRequestError';
}

/** The store, or something before it, cannot serve at the moment (5xx). */
export class UnavailableError extends AllSourceError {
  override readonly name = 'UnavailableError';
}

/** No connection, or it broke before the answer was whole. */
export class ConnectionError extends AllSourceError {
  override readonly name = 'ConnectionError';
}

/** No whole answer came within the time that a try may take. */
export class TimeoutError extends AllSourceError {
  override readonly name = 'TimeoutError';
}

/** Too many tries in a row have failed, so this call was not made; `retryAfterMs` says when one will be. The last failure is the cause. */
export class CircuitOpenError extends AllSourceError {
  override readonly name = 'CircuitOpenError';

  constructor(failures: number, openForMs: number, cause: AllSourceError | null) {
    super(
      `Not called: ${failures} tries in a row have failed, the next is made in ${Math.ceil(openForMs)} ms. The last failure: ${cause?.message ?? 'unknown'}`,
      {
        code: 'circuit_open',
        status: null,
        retryable: true,
        retryAfterMs: Math.ceil(openForMs),
        cause,
      },
    );
  }
}

/** The client has been closed. */
export class ClosedError extends AllSourceError {
  override readonly name = 'ClosedError';

  constructor(what: string) {
    super(`The ${what} is closed.`, { code: 'closed', status: null, retryable: false });
  }
}

/** An argument or option that cannot be used; nothing was sent. */
export class InvalidArgumentError extends AllSourceError {
  override readonly name = 'InvalidArgumentError';

  constructor(message: string, cause?: unknown) {
    super(message, { code: 'invalid_argument', status: null, retryable: false, cause });
  }
}

function numberIn(problem: AllSourceErrorOptions['problem'], name: string): number {
  const value = problem?.[name];
  return typeof value === 'number' ? value : Number.NaN;
}

export interface FailedAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

const RETRYABLE_STATUS = new Set([408, 425, 429, 500, 502, 503, 504, 507]);

/** The error of an answer that is not 2xx. The services answer problem documents; a proxy in between may answer anything. */
export function errorOfAnswer(answer: FailedAnswer): AllSourceError {
  const problem = parseProblem(answer.text);
  const { status } = answer;
  const code = codeOf(problem, status);
  return new (classOf(code, status))(messageOf(problem, answer), {
    code,
    status,
    retryable: isRetryable(problem, status),
    problem: factsOf(problem, answer.headers),
    retryAfterMs: retryAfterMs(answer.headers),
  });
}

/** The members of a problem, and what is said of it in headers. */
function factsOf(
  problem: Record<string, unknown> | null,
  headers: Headers,
): Record<string, unknown> {
  const index = headers.get('conflict-index');
  return { ...problem, ...(index === null ? {} : { index: Number(index) }) };
}

type ErrorClass = new (message: string, options: AllSourceErrorOptions) => AllSourceError;

function classOf(code: string, status: number): ErrorClass {
  if (code === 'version_conflict') return VersionConflictError;
  switch (status) {
    case 400:
    case 413:
    case 415:
    case 422:
      return InvalidRequestError;
    case 401:
      return UnauthenticatedError;
    case 402:
      return QuotaExceededError;
    case 403:
      return ForbiddenError;
    case 404:
      return NotFoundError;
    case 429:
      return RateLimitedError;
    default:
      return status >= 500 ? UnavailableError : AllSourceError;
  }
}

function parseProblem(text: string): Record<string, unknown> | null {
  try {
    const parsed: unknown = JSON.parse(text);
    return isRecord(parsed) ? parsed : null;
  } catch {
    // Plain text or HTML of something in between; messageOf shows its beginning.
    return null;
  }
}

function codeOf(problem: Record<string, unknown> | null, status: number): string {
  const error = problem?.['error'];
  if (typeof problem?.['code'] === 'string') return problem['code'];
  if (isRecord(error) && typeof error['code'] === 'string') return error['code'];
  if (typeof error === 'string' && /^[a-z_]+$/.test(error)) return error;
  return `http_${status}`;
}

function messageOf(problem: Record<string, unknown> | null, answer: FailedAnswer): string {
  const error = problem?.['error'];
  if (error === 'version_conflict') {
    return `The entity is at version ${String(problem?.['current_version'])}, not at the expected ${String(problem?.['expected_version'])}.`;
  }
  const candidates = [
    problem?.['detail'],
    isRecord(error) ? error['message'] : null,
    problem?.['message'],
    error,
    answer.text.slice(0, 200).trim(),
  ];
  const message = candidates.find((text) => typeof text === 'string' && text !== '');
  return typeof message === 'string'
    ? message
    : `The server answered ${answer.status} without words.`;
}

// A conflict is marked retryable by the server because it can be retried after a new read; the same call would fail again.
function isRetryable(problem: Record<string, unknown> | null, status: number): boolean {
  if (!RETRYABLE_STATUS.has(status)) return false;
  const marked = problem?.['retryable'];
  return typeof marked === 'boolean' ? marked : true;
}

function retryAfterMs(headers: Headers): number | null {
  const text = headers.get('retry-after');
  if (text === null) return null;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - Date.now());
}

/** The error of a call that got no answer. */
export function unreachable(url: string, cause: unknown): AllSourceError {
  return new ConnectionError(`${url} does not answer: ${causeText(cause)}.`, {
    code: 'unreachable',
    status: null,
    retryable: true,
    cause,
  });
}

// fetch says "fetch failed" and keeps the reason in the cause, which for several addresses is an aggregate without a text.
function causeText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause !== undefined) return causeText(error.cause);
  if (error.message !== '') return error.message;
  return 'code' in error ? String(error.code) : error.name;
}

/** The error of an answer that came and makes no sense. */
export function badAnswer(what: string, cause?: unknown): AllSourceError {
  return new AllSourceError(`The server's answer cannot be used: ${what}.`, {
    code: 'bad_answer',
    status: null,
    retryable: false,
    cause,
  });
}
