/**
 * How the Rust SDK (0.19.2 and later) sends a request: a bearer key, three retries for whatever may pass, also for a 2xx body that does not decode, and its
 * own errors for what is refused.
 */
import { membersOf, text } from './shape.ts';
import {
  isRetryableStatus,
  parsedJson,
  SdkConnectionError,
  SdkDecodeError,
  type SdkFailure,
  SdkHttpError,
  SdkTransport,
  type SdkTry,
} from './transport.ts';

export interface RustClientOptions {
  readonly url: string;
  readonly apiKey: string;
  readonly retriesMax?: number;
  readonly breakerThreshold?: number;
}

/** `Error::VersionConflict`: only a 409 whose `error` is the literal text, with both integers. */
export class RustVersionConflict extends Error {
  override readonly name = 'RustVersionConflict';
  readonly expected: number;
  readonly current: number;

  constructor(expected: number, current: number) {
    super(`expected version ${expected}, current ${current}`);
    this.expected = expected;
    this.current = current;
  }
}

/** `Error::Api`: any other answer that is not 2xx. */
export class RustApiError extends Error {
  override readonly name = 'RustApiError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class RustTransport {
  readonly #transport: SdkTransport;

  constructor({ url, apiKey, retriesMax = 3, breakerThreshold = 5 }: RustClientOptions) {
    this.#transport = new SdkTransport({
      url,
      headers: { authorization: `Bearer ${apiKey}`, accept: 'application/json' },
      contentType: 'with a body',
      retriesMax,
      repeats: isRustRetryable,
      failuresOf,
      breakerThreshold,
    });
  }

  get tries(): readonly SdkTry[] {
    return this.#transport.tries;
  }

  get<T>(path: string, read: (value: unknown) => T): Promise<T> {
    return this.#call({ method: 'GET', path }, read);
  }

  send<T>(
    request: { readonly method?: string; readonly path: string; readonly body: unknown },
    read: (value: unknown) => T,
  ): Promise<T> {
    return this.#call({ method: 'POST', ...request }, read);
  }

  async #call<T>(
    request: { method: string; path: string; body?: unknown },
    read: (value: unknown) => T,
  ): Promise<T> {
    try {
      return await this.#transport.call(request, (body) => read(parsedJson(body)));
    } catch (error) {
      throw error instanceof SdkHttpError ? rustErrorOf(error) : error;
    }
  }
}

function isRustRetryable(failure: SdkFailure): boolean {
  if (failure instanceof SdkConnectionError || failure instanceof SdkDecodeError) return true;
  return isRetryableStatus(failure.status);
}

// A try that is repeated counts; so does a last one that the server or the way to it is to blame for.
function failuresOf(failure: SdkFailure, isLast: boolean): number {
  const isOfServer = !(failure instanceof SdkHttpError) || failure.status >= 500;
  return isLast && !isOfServer ? 0 : 1;
}

function rustErrorOf({ status, text: body }: SdkHttpError): Error {
  const answer = jsonMembers(body);
  const { error, expected_version: expected, current_version: current } = answer;
  const hasVersions = Number.isInteger(expected) && Number.isInteger(current);
  if (status === 409 && error === 'version_conflict' && hasVersions)
    return new RustVersionConflict(expected as number, current as number);
  const message = typeof error === 'object' ? jsonMembers(error)['message'] : error;
  return new RustApiError(status, typeof message === 'string' ? message : 'Unknown error');
}

function jsonMembers(value: unknown): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = typeof value === 'string' ? JSON.parse(value) : value;
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch {
    // Plain text has no members; the SDK says "Unknown error" then.
    return {};
  }
}

/** The status of an answer about health. */
export function statusOf(value: unknown): string {
  return text(membersOf(value, 'the answer'), 'status');
}
