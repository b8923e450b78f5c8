import { AllSourceError, errorOfAnswer, unreachable } from './allsource-error.ts';

export type QueryValue = string | number | boolean | null | undefined;

export interface TransportOptions {
  /** Where the service listens; a trailing slash is dropped. */
  readonly url: string;
  readonly apiKey: string | null;
  readonly timeoutMs: number;
}

export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, QueryValue>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TransportAnswer {
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

/** One request and one answer over fetch. Failures are {@link AllSourceError}s; an abort by the caller throws the caller's reason. */
export class Transport {
  readonly #url: string;
  readonly #apiKey: string | null;
  readonly #timeoutMs: number;

  constructor(options: TransportOptions) {
    this.#url = options.url.replace(/\/+$/, '');
    this.#apiKey = options.apiKey;
    this.#timeoutMs = options.timeoutMs;
  }

  /** Sends a request and reads the whole answer, within the timeout. */
  async request(request: TransportRequest): Promise<TransportAnswer> {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    const signal =
      request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout]);
    try {
      const response = await this.#fetch(request, signal);
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.ok) return { headers: response.headers, bytes };
      throw errorOfAnswer({
        status: response.status,
        headers: response.headers,
        text: new TextDecoder().decode(bytes),
      });
    } catch (error) {
      throw this.#failure(error, request, timeout);
    }
  }

  /** Opens a stream: the answer's body is read by the caller for as long as it likes. */
  async open(request: TransportRequest & { readonly signal: AbortSignal }): Promise<Response> {
    try {
      const response = await this.#fetch(request, request.signal);
      if (response.ok) return response;
      throw errorOfAnswer({
        status: response.status,
        headers: response.headers,
        text: await response.text(),
      });
    } catch (error) {
      throw this.#failure(error, request, null);
    }
  }

  #fetch(request: TransportRequest, signal: AbortSignal): Promise<Response> {
    return fetch(this.#address(request), {
      method: request.method,
      headers: {
        accept: 'application/json',
        ...(this.#apiKey === null ? {} : { authorization: `Bearer ${this.#apiKey}` }),
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...request.headers,
      },
      signal,
      redirect: 'error',
      ...(request.body === undefined ? {} : { body: request.body }),
    });
  }

  #address({ path, query = {} }: TransportRequest): string {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== null && value !== undefined) parameters.set(name, String(value));
    }
    const text = parameters.toString();
    return this.#url + path + (text === '' ? '' : `?${text}`);
  }

  #failure(error: unknown, request: TransportRequest, timeout: AbortSignal | null): unknown {
    if (error instanceof AllSourceError || request.signal?.aborted === true) return error;
    if (timeout?.aborted !== true) return unreachable(this.#url, error);
    return new AllSourceError(
      `${this.#url} did not answer ${request.method} ${request.path} within ${this.#timeoutMs} ms.`,
      { code: 'timeout', status: null, retryable: true },
    );
  }
}
