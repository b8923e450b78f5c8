/**
 * Hands a request on to the service that owns it, and its answer back, as streams: nothing is held whole, a slow side slows the other down, and
 * when one side goes away the other is told at once. The request's own credential goes with it, and the service behind decides
 * again; the check in front only spares it the work.
 *
 * A request is forwarded once: it carries a mark from then on, and a marked one is refused here (see one-hop.ts).
 *
 * Nothing is ever sent twice. A write that fails on the way may or may not have been stored, and only the client knows whether it may be
 * repeated; the answer says which of the two is certain.
 */
import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import {
  PROBLEM_CONTENT_TYPE,
  Problem,
  type ProblemContext,
  problem,
} from '@allsource/shared/errors';
import { must } from '@allsource/shared/lang';
import { LIMITS } from '@allsource/shared/limits';
import type { Call } from '../http/route.ts';
import type { Logger } from '../observability/logger.ts';
import { answerHeadersBack, requestHeadersOnward } from './hop-headers.ts';
import type { LiveConnections } from './live-connections.ts';
import { forwardedBy, requireFirstHop } from './one-hop.ts';
import { readErrorText } from './upstream-error.ts';
import type { Upstream } from './upstream.ts';

/** Where a request goes and what is changed on the way. */
export interface ForwardTarget {
  readonly upstream: Upstream;
  /** Path and query at the service behind; the client's own when left out. */
  readonly path?: string;
  /** Headers set unless the client sent them. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The status that stands in for 200. */
  readonly okStatus?: number;
  /** True for a request body of any length; it is carried as a stream, as all are, and not counted. */
  readonly isUnbounded?: boolean;
  /** True for answers that stay open; they count against the limit of live connections. */
  readonly isLive?: boolean;
}

export type ForwardOutcome = 'answered' | 'unavailable' | 'abandoned';

/** The body that answers for an error of the service behind, in the form of the service in front. */
export type ErrorTranslation = (
  status: number,
  text: string,
  context: ProblemContext,
) => Record<string, unknown>;

export interface ForwarderOptions {
  /** The service in front. */
  readonly name: 'core' | 'gateway';
  readonly translateError: ErrorTranslation;
  /** Largest request body, in bytes. The services behind have the same limit; a body over it is not carried that far. */
  readonly bodyBytesMax: number;
  /** Counts the answers that stay open; null where no target is live. */
  readonly live: LiveConnections | null;
  readonly logger: Logger;
  readonly onOutcome: (upstream: string, outcome: ForwardOutcome) => void;
}

export class Forwarder {
  readonly #options: ForwarderOptions;

  constructor(options: ForwarderOptions) {
    this.#options = options;
  }

  /**
   * Forwards a call and answers it. Throws `upstream_unavailable` when the service behind does not answer, and `forwarding_loop` for a call
   * that was forwarded before.
   */
  async forward(call: Call, target: ForwardTarget): Promise<void> {
    const { request, response } = call;
    const { onOutcome } = this.#options;
    const bodyBytesMax =
      target.isUnbounded === true ? Number.POSITIVE_INFINITY : this.#options.bodyBytesMax;
    requireFirstHop(request.headers);
    if (Number(request.headers['content-length'] ?? 0) > bodyBytesMax)
      throw bodyTooLarge(bodyBytesMax);
    const release = target.isLive === true ? this.#admitLive(response) : () => {};
    const exchange = this.#open(call, target);
    sendBody(request, exchange, bodyBytesMax);
    const giveUp = () => exchange.destroy();
    response.once('close', giveUp);
    try {
      const answer = await answerTo(exchange, target.upstream, request);
      await this.#relay({ answer, call, target });
      onOutcome(target.upstream.name, 'answered');
    } catch (error) {
      const isAbandoned = response.destroyed || response.headersSent;
      onOutcome(target.upstream.name, isAbandoned ? 'abandoned' : 'unavailable');
      if (!isAbandoned) throw error;
      this.#options.logger.debug({ err: error, path: request.path }, 'forwarding was cut short');
      response.destroy();
    } finally {
      response.off('close', giveUp);
      release();
    }
  }

  #admitLive(response: ServerResponse): () => void {
    const live = must(this.#options.live, 'a counter of live connections');
    return live.admit(() => response.destroy());
  }

  #open({ request, response }: Call, target: ForwardTarget): ClientRequest {
    return target.upstream.request({
      method: request.method,
      path: target.path ?? pathOfTarget(request.originalUrl),
      headers: {
        ...target.headers,
        ...requestHeadersOnward(request.headers),
        ...forwardedBy(this.#options.name),
        'x-request-id': String(response.getHeader('x-request-id')),
      },
    });
  }

  async #relay({ answer, call, target }: Relayed): Promise<void> {
    const { response } = call;
    // After an answer before the end of the request, the rest of the request still goes to the service behind, which throws it away.
    const status = answer.statusCode ?? 502;
    if (status >= 400 && isTranslatable(answer)) return await this.#relayError({ answer, call });
    setHeaders(response, answerHeadersBack(answer.headers));
    response.statusCode = status === 200 ? (target.okStatus ?? 200) : status;
    if (target.isLive === true) response.flushHeaders();
    await pipeline(answer, response);
  }

  async #relayError({ answer, call }: Omit<Relayed, 'target'>): Promise<void> {
    const { request, response } = call;
    const text = await readErrorText(answer, LIMITS.upstreamErrorBytesMax);
    const status = answer.statusCode ?? 502;
    const traceId = String(response.getHeader('x-request-id'));
    const context = { instance: request.path, traceId };
    const body = JSON.stringify(this.#options.translateError(status, text, context));
    setHeaders(response, answerHeadersBack(answer.headers));
    response.statusCode = status;
    response.setHeader('content-type', PROBLEM_CONTENT_TYPE);
    response.setHeader('content-length', Buffer.byteLength(body));
    response.end(body);
  }
}

interface Relayed {
  readonly answer: IncomingMessage;
  readonly call: Call;
  readonly target: ForwardTarget;
}

/** The path and query of a request target. A request line may carry a whole URL; only what stands behind the host names a route. */
export function pathOfTarget(target: string): string {
  if (target.startsWith('/')) return target;
  const { pathname, search } = new URL(target, 'http://host');
  return pathname + search;
}

function sendBody(request: IncomingMessage, exchange: ClientRequest, bytesMax: number): void {
  const { headers } = request;
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) {
    exchange.end();
    return;
  }
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > bytesMax) exchange.destroy(bodyTooLarge(bytesMax));
  });
  request.pipe(exchange);
}

function bodyTooLarge(limit: number): Problem {
  return problem(
    'body_too_large',
    `The body is over the limit of ${limit} bytes. Send fewer events at a time.`,
    { limit_bytes: limit },
  );
}

function answerTo(
  exchange: ClientRequest,
  { name: upstream, silenceMs }: Upstream,
  request: IncomingMessage,
): Promise<IncomingMessage> {
  const { method = 'GET' } = request;
  return new Promise((resolve, reject) => {
    exchange.once('response', (answer) => {
      // From here on silence is the client's business: a live stream has nothing to say, or a reader is slow.
      exchange.setTimeout(0);
      resolve(answer);
    });
    const onSilence = () => {
      if (isBodyAwaited(request, exchange)) {
        // The service behind waits for the body too, and refuses it in its time: it has to have the head for that.
        exchange.flushHeaders();
      } else exchange.destroy(new SilenceError(`no byte for ${silenceMs} ms`));
    };
    // The exchange would tell of the first silence only.
    exchange.once('socket', (socket) => {
      socket.on('timeout', onSilence);
      exchange.once('close', () => socket.off('timeout', onSilence));
    });
    // Stays in place: after an early refusal the rest of the body meets a closed connection, which changes nothing any more.
    exchange.on('error', (error) => reject(unavailable({ upstream, method, error })));
  });
}

/** The client has yet to send of its body, and the service behind has taken all that came. */
function isBodyAwaited(request: IncomingMessage, exchange: ClientRequest): boolean {
  return !request.complete && exchange.writableLength === 0;
}

class SilenceError extends Error {
  override readonly name = 'SilenceError';
}

function unavailable(failure: {
  readonly upstream: string;
  readonly method: string;
  readonly error: NodeJS.ErrnoException;
}): Problem {
  const { upstream, method, error } = failure;
  if (error instanceof Problem) return error;
  const isCertain = error.code === 'ECONNREFUSED' || error.code === 'ENOTFOUND';
  const consequence =
    isCertain || method === 'GET'
      ? 'Nothing was changed. Try again shortly.'
      : 'It is not known whether the request was carried out. If you repeat it, send the same Idempotency-Key, or check first.';
  const members = { upstream, outcome: isCertain || method === 'GET' ? 'not_done' : 'unknown' };
  return problem(
    'upstream_unavailable',
    `The service '${upstream}' does not answer. ${consequence}`,
    members,
    error,
  );
}

function isTranslatable({ headers }: IncomingMessage): boolean {
  return (
    headers['content-encoding'] === undefined &&
    /^(?:application\/(?:[\w.+-]+\+)?json|text\/plain)\b/i.test(
      headers['content-type'] ?? 'text/plain',
    )
  );
}

/** The first bytes of an answer as text; the rest is let go. */
function setHeaders(response: ServerResponse, headers: ReturnType<typeof answerHeadersBack>): void {
  for (const [name, value] of Object.entries(headers))
    if (value !== undefined) response.setHeader(name, value);
}
