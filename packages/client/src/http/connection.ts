/**
 * What all clients share: one transport, and around each call the retries and, inside them, the circuit breaker, so that every try counts. What comes here may
 * be repeated: reads, saves that replace, and appends under an idempotency key.
 */
import type { WebSocketFactory } from '../stream/web-socket.ts';
import { jsonText } from './json-text.ts';
import { BREAKER_DEFAULT, type BreakerPolicy, CircuitBreaker } from './circuit-breaker.ts';
import { RETRY_DEFAULT, type RetryNotice, type RetryPolicy, withRetries } from './retry.ts';
import {
  type FetchFunction,
  Transport,
  type TransportAnswer,
  type TransportRequest,
} from './transport.ts';
import { parseObject, type WireObject } from './wire.ts';

const TIMEOUT_MS_DEFAULT = 30_000;

/** How a client reaches its store. */
export interface ClientOptions {
  /** The address of the service, such as http://127.0.0.1:3902. */
  readonly url: string;
  readonly apiKey?: string | null | undefined;
  /** How long one try of a call may take, in milliseconds; 30,000 without it. */
  readonly timeoutMs?: number | undefined;
  /** When and how often calls are tried again; `false`: never. */
  readonly retry?: Partial<RetryPolicy> | false | undefined;
  /** When calls are stopped because the store is not there; `false`: never. */
  readonly breaker?: Partial<BreakerPolicy> | false | undefined;
  /** Told before each wait for a call that failed and is tried again. */
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
  /** Used in place of the platform's `fetch`. */
  readonly fetch?: FetchFunction | undefined;
  /** Opens WebSockets where the platform's own cannot carry the key (Node 20, browsers); see {@link WebSocketFactory}. */
  readonly webSocket?: WebSocketFactory | undefined;
}

/** What every call takes. */
export interface CallOptions {
  /** Gives the call up; it then throws the signal's reason. */
  readonly signal?: AbortSignal | undefined;
  /** How long one try of this call may take, in milliseconds; the client's own time without it. */
  readonly timeoutMs?: number | undefined;
}

/** A request with a JSON body. */
export interface JsonRequest {
  readonly method: 'POST' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly body?: object;
}

export class Connection {
  readonly transport: Transport;
  readonly #policy: RetryPolicy;
  readonly #breaker: CircuitBreaker | null;
  readonly #onRetry: ((notice: RetryNotice) => void) | undefined;

  constructor(options: ClientOptions) {
    const { url, apiKey = null, timeoutMs = TIMEOUT_MS_DEFAULT, retry, breaker } = options;
    this.transport = new Transport({ url, apiKey, timeoutMs, fetch: options.fetch });
    this.#policy = retry === false ? { ...RETRY_DEFAULT, retriesMax: 0 } : withDefaults(retry);
    this.#breaker =
      breaker === false ? null : new CircuitBreaker({ ...BREAKER_DEFAULT, ...breaker });
    this.#onRetry = options.onRetry;
  }

  /** Makes a call, again and again if need be. */
  call(request: TransportRequest): Promise<TransportAnswer> {
    return withRetries(() => this.#attempt(request), {
      policy: this.#policy,
      onRetry: this.#onRetry,
      signal: request.signal,
    });
  }

  /** Reads a JSON object. */
  async get(
    path: string,
    options: CallOptions,
    query: NonNullable<TransportRequest['query']> = {},
  ): Promise<WireObject> {
    return objectOf(await this.call({ method: 'GET', path, query, ...callMembers(options) }));
  }

  /** Sends a JSON body that may be sent twice, and reads a JSON object. */
  async send(request: JsonRequest, options: CallOptions): Promise<WireObject> {
    return objectOf(await this.call(transportRequest(request, options)));
  }

  /** Sends a JSON body that must not be sent twice, and reads a JSON object. */
  async once(request: JsonRequest, options: CallOptions): Promise<WireObject> {
    return objectOf(await this.#attempt(transportRequest(request, options)));
  }

  #attempt(request: TransportRequest): Promise<TransportAnswer> {
    const attempt = () => this.transport.request(request);
    return this.#breaker === null ? attempt() : this.#breaker.run(attempt);
  }

  /** Ends what is under way and refuses what comes after. */
  close(): void {
    this.transport.close();
  }
}

function withDefaults(policy: Partial<RetryPolicy> | undefined): RetryPolicy {
  return { ...RETRY_DEFAULT, ...policy };
}

function transportRequest(
  { method, path, body }: JsonRequest,
  options: CallOptions,
): TransportRequest {
  const text = body === undefined ? undefined : jsonText(body);
  return { method, path, body: text, ...callMembers(options) };
}

/** The members of a request that a caller's options give. */
export function callMembers({ signal, timeoutMs }: CallOptions): CallOptions {
  return { signal, timeoutMs };
}

/** The text of an answer. */
export function textOf(answer: TransportAnswer): string {
  return new TextDecoder().decode(answer.bytes);
}

/** The JSON object of an answer. */
export function objectOf(answer: TransportAnswer): WireObject {
  return parseObject(textOf(answer));
}
