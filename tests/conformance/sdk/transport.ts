/**
 * How the SDKs of AllSource send a request, repeat it and give up. Each SDK's model says which headers it sends, what it needs of an answer and what it
 * repeats. The tries are recorded, because what a server causes is what counts: a second try of an append is a second event.
 */

/** An answer that came and is not 2xx. */
export class SdkHttpError extends Error {
  override readonly name = 'SdkHttpError';
  readonly status: number;
  readonly text: string;

  constructor(status: number, text: string) {
    super(`HTTP ${status}: ${text.slice(0, 300)}`);
    this.status = status;
    this.text = text;
  }
}

/** An answer that the SDK cannot read. */
export class SdkDecodeError extends Error {
  override readonly name = 'SdkDecodeError';
}

/** No answer came. */
export class SdkConnectionError extends Error {
  override readonly name = 'SdkConnectionError';
}

/** The SDK's circuit breaker is open: nothing was sent. */
export class SdkCircuitOpenError extends Error {
  override readonly name = 'SdkCircuitOpenError';
}

export type SdkFailure = SdkHttpError | SdkDecodeError | SdkConnectionError;

export interface SdkRequest {
  readonly method: string;
  /** Path and query. */
  readonly path: string;
  readonly body?: unknown;
}

/** One request that was sent, and the status that came back; null when none came. */
export interface SdkTry {
  readonly method: string;
  readonly path: string;
  readonly status: number | null;
}

export interface SdkTransportOptions {
  readonly url: string;
  /** Sent with every request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Sent with a request that has a body, and by some SDKs with every one. */
  readonly contentType: 'with a body' | 'always';
  readonly retriesMax: number;
  readonly repeats: (failure: SdkFailure) => boolean;
  /** How many failures a failed try adds to the breaker's count. */
  readonly failuresOf: (failure: SdkFailure, isLast: boolean) => number;
  /** Failures in a row after which the breaker opens; infinite where there is none. */
  readonly breakerThreshold: number;
}

const RETRYABLE_STATUS = new Set([408, 429, 500, 502, 503, 504]);
const DELAY_MS = 200;

/** The statuses that every SDK with retries repeats. */
export function isRetryableStatus(status: number): boolean {
  return RETRYABLE_STATUS.has(status);
}

export class SdkTransport {
  readonly tries: SdkTry[] = [];
  readonly #options: SdkTransportOptions;
  readonly #url: string;
  #failures = 0;

  constructor(options: SdkTransportOptions) {
    this.#options = options;
    this.#url = options.url.replace(/\/+$/, '');
  }

  /** Sends a request until it succeeds, fails for good or was tried often enough. `read` turns the text of a 2xx answer into what the SDK returns. */
  async call<T>(request: SdkRequest, read: (text: string) => T): Promise<T> {
    const { retriesMax, repeats, failuresOf, breakerThreshold } = this.#options;
    if (this.#failures >= breakerThreshold) throw new SdkCircuitOpenError('the circuit is open');
    for (let attempt = 0; ; attempt++) {
      try {
        const result = await this.#once(request, read);
        this.#failures = 0;
        return result;
      } catch (error) {
        const failure = failureOf(error);
        const isLast = attempt >= retriesMax || !repeats(failure);
        this.#failures += failuresOf(failure, isLast);
        if (isLast) throw failure;
        await new Promise((resolve) => setTimeout(resolve, DELAY_MS * 2 ** attempt));
      }
    }
  }

  async #once<T>({ method, path, body }: SdkRequest, read: (text: string) => T): Promise<T> {
    const { headers, contentType } = this.#options;
    const hasType = body !== undefined || contentType === 'always';
    const response = await fetch(this.#url + path, {
      method,
      headers: { ...headers, ...(hasType ? { 'content-type': 'application/json' } : {}) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch((error: unknown) => {
      this.tries.push({ method, path, status: null });
      throw new SdkConnectionError(`${this.#url} does not answer`, { cause: error });
    });
    this.tries.push({ method, path, status: response.status });
    const text = await response.text();
    if (!response.ok) throw new SdkHttpError(response.status, text);
    return read(text);
  }
}

function failureOf(error: unknown): SdkFailure {
  if (error instanceof SdkHttpError || error instanceof SdkDecodeError) return error;
  if (error instanceof SdkConnectionError) return error;
  throw error;
}

/** Reads JSON as an SDK does before it looks at the shape. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new SdkDecodeError(`not JSON: ${text.slice(0, 100)}`, { cause: error });
  }
}
