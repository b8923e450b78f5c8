/**
 * Requests to places outside that a tenant has named. The promise: a connection is made only to an address that the policy allows. The host is resolved once, each
 * of its addresses is looked at, and the connection goes to the very address that was looked at, so a name that changes its address between the two gains nothing.
 * Redirects are not followed. An answer is bounded in time and in bytes. No proxy and no environment is consulted, no cookie kept, and no connection reused.
 */
import { lookup } from 'node:dns/promises';
import { type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { LIMITS } from '@allsource/shared/limits';
import { bareHost, type OutboundPolicy, shownUrl } from './outbound-policy.ts';

export interface OutboundRequest {
  readonly url: URL;
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Bytes of the answer that are wanted; a longer one fails, or with `isCut` is cut off there. */
  readonly bytesMax: number;
  readonly isCut?: boolean;
}

export interface OutboundAnswer {
  readonly status: number;
  readonly body: Buffer;
}

/** A request that did not get its answer: it was not allowed, not answered, or answered with too much. */
export class OutboundFault extends Error {
  override readonly name = 'OutboundFault';
  /** True where the policy refused it, so that it would be refused again. */
  readonly isRefused: boolean;

  constructor(message: string, isRefused: boolean) {
    super(message);
    this.isRefused = isRefused;
  }
}

export interface ResolvedAddress {
  readonly address: string;
  readonly family: number;
}

export interface OutboundRequestsOptions {
  readonly policy: OutboundPolicy;
  /** The addresses of a name; the resolver of the machine unless given. */
  readonly resolve?: (host: string) => Promise<readonly ResolvedAddress[]>;
  readonly timeoutMs?: number;
}

export class OutboundRequests {
  readonly #policy: OutboundPolicy;
  readonly #resolve: (host: string) => Promise<readonly ResolvedAddress[]>;
  readonly #timeoutMs: number;
  readonly #closing = new AbortController();

  constructor({ policy, resolve, timeoutMs = LIMITS.outboundTimeoutMs }: OutboundRequestsOptions) {
    this.#policy = policy;
    this.#resolve = resolve ?? ((host) => lookup(host, { all: true, verbatim: true }));
    this.#timeoutMs = timeoutMs;
  }

  /** Sends a request and reads its answer, whatever its status. Throws an OutboundFault. */
  async send(request: OutboundRequest): Promise<OutboundAnswer> {
    const { url } = request;
    const fault = this.#policy.faultOf(url);
    if (fault !== null) throw new OutboundFault(fault, true);
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#timeoutMs)]);
    try {
      const address = await abortable(this.#addressOf(url), signal);
      const response = await this.#open(request, address, signal);
      return { status: response.statusCode ?? 0, body: await bodyOf(response, request) };
    } catch (error) {
      if (error instanceof OutboundFault) throw error;
      const reason = signal.aborted ? `no answer within ${this.#timeoutMs} ms` : messageOf(error);
      throw new OutboundFault(`${shownUrl(url)} did not answer: ${reason}.`, false);
    }
  }

  /** Ends all requests. */
  close(): void {
    this.#closing.abort();
  }

  /** The address to connect to. All addresses of the name must be allowed. */
  async #addressOf(url: URL): Promise<ResolvedAddress> {
    const host = bareHost(url);
    const literal = isIP(host);
    const found = literal === 0 ? await this.#resolve(host) : [{ address: host, family: literal }];
    for (const { address } of found) {
      const fault = this.#policy.addressFault(url, address);
      if (fault !== null) throw new OutboundFault(fault, true);
    }
    const [first] = found;
    if (first !== undefined) return first;
    throw new OutboundFault(`${shownUrl(url)} has no address.`, false);
  }

  #open(
    { url, method, headers, body }: OutboundRequest,
    address: ResolvedAddress,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const length = body === null ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = {
      method,
      headers: { ...headers, ...length, connection: 'close' },
      agent: false as const,
      lookup: pinned(address),
      signal,
    };
    return new Promise((resolve, reject) => {
      const request: ClientRequest = send(url, options, resolve);
      request.once('error', reject);
      request.end(body ?? undefined);
    });
  }
}

/** A resolver that knows one address. */
function pinned({ address, family }: ResolvedAddress): LookupFunction {
  return (_host, options, callback) => {
    if (options.all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
}

function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

async function bodyOf(
  response: IncomingMessage,
  { url, bytesMax, isCut = false }: OutboundRequest,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    chunks.push(chunk);
    if (bytes <= bytesMax) continue;
    response.destroy();
    if (isCut) break;
    throw new OutboundFault(`${shownUrl(url)} answered with more than ${bytesMax} bytes.`, false);
  }
  return Buffer.concat(chunks).subarray(0, bytesMax);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
