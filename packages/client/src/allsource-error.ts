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
 * `unauthenticated`, ...) or one of the client's: `unreachable`, `timeout`, `bad_answer`.
 */
export class AllSourceError extends Error {
  override readonly name = 'AllSourceError';
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
  return new AllSourceError(messageOf(problem, answer), {
    code: codeOf(problem, status),
    status,
    retryable: isRetryable(problem, status),
    problem: problem ?? {},
    retryAfterMs: retryAfterMs(answer.headers),
  });
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
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : null;
}

/** The error of a call that got no answer. */
export function unreachable(url: string, cause: unknown): AllSourceError {
  return new AllSourceError(`${url} does not answer: ${causeText(cause)}.`, {
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
