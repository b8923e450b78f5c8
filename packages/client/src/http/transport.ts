import {
  AllSourceError,
  ClosedError,
  errorOfAnswer,
  InvalidArgumentError,
  TimeoutError,
  unreachable,
} from './allsource-error.ts';
import { LinkedSignal } from './linked-signal.ts';
import { reasonOf } from './pause.ts';

/** A parameter of a URL; the elements of a list are sent one by one. */
export type QueryValue = string | number | boolean | null | undefined | readonly string[];

/** What the client needs of `fetch`. */
export type FetchFunction = (url: string, init: RequestInit) => Promise<Response>;

export interface TransportOptions {
  /** Where the service listens; a trailing slash is dropped. */
  readonly url: string;
  readonly apiKey: string | null;
  /** How long one try may take. */
  readonly timeoutMs: number;
  /** Without it the platform's own. */
  readonly fetch?: FetchFunction | undefined;
}

export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, QueryValue>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long this try may take; without it the transport's own time. */
  readonly timeoutMs?: number | undefined;
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
  readonly #fetchFunction: FetchFunction;
  readonly #closing = new AbortController();

  constructor(options: TransportOptions) {
    this.#url = requireHttpUrl(options.url).replace(/\/+$/, '');
    this.#apiKey = options.apiKey;
    this.#timeoutMs = options.timeoutMs;
    this.#fetchFunction = options.fetch ?? ((url, init) => fetch(url, init));
  }

  get url(): string {
    return this.#url;
  }

  get apiKey(): string | null {
    return this.#apiKey;
  }

  /** Ends what is under way and refuses what comes after. */
  close(): void {
    this.#closing.abort(new ClosedError('client'));
  }

  /** Sends a request and reads the whole answer, within the timeout. */
  async request(request: TransportRequest): Promise<TransportAnswer> {
    const timeoutMs = request.timeoutMs ?? this.#timeoutMs;
    const linked = new LinkedSignal([request.signal, this.#closing.signal], timeoutMs);
    try {
      const response = await this.#fetch(request, linked.signal);
      const bytes = new Uint8Array(await response.arrayBuffer());
      if (response.ok) return { headers: response.headers, bytes };
      throw errorOfAnswer({
        status: response.status,
        headers: response.headers,
        text: new TextDecoder().decode(bytes),
      });
    } catch (error) {
      throw this.#failure(error, request, linked.isTimedOut ? timeoutMs : null);
    } finally {
      linked.release();
    }
  }

  /** Opens a stream: the answer's body is read by the caller for as long as it likes. */
  async open(request: TransportRequest & { readonly signal: AbortSignal }): Promise<Response> {
    try {
      const signal = AbortSignal.any([request.signal, this.#closing.signal]);
      const response = await this.#fetch(request, signal);
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
    return this.#fetchFunction(this.#address(request), {
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
      const values = typeof value === 'object' && value !== null ? value : [value];
      for (const one of values)
        if (one !== null && one !== undefined) parameters.append(name, String(one));
    }
    const text = parameters.toString();
    return this.#url + path + (text === '' ? '' : `?${text}`);
  }

  #failure(error: unknown, request: TransportRequest, timedOutMs: number | null): unknown {
    if (error instanceof AllSourceError) return error;
    if (request.signal?.aborted === true) return reasonOf(request.signal);
    if (this.#closing.signal.aborted) return reasonOf(this.#closing.signal);
    if (timedOutMs === null) return unreachable(this.#url, error);
    return new TimeoutError(
      `${this.#url} did not answer ${request.method} ${request.path} within ${timedOutMs} ms.`,
      { code: 'timeout', status: null, retryable: true },
    );
  }
}

function requireHttpUrl(url: string): string {
  const scheme = URL.canParse(url) ? new URL(url).protocol : '';
  if (scheme === 'http:' || scheme === 'https:') return url;
  throw new InvalidArgumentError(
    `'${url}' is not the address of a store; use one such as http://127.0.0.1:3902.`,
  );
}
