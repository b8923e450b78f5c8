/**
 * `GET /api/v1/events/stream`: the WebSocket of live events, with the replay of a durable consumer in front when `consumer_id` names one.
 *
 * Who it is and whether there is room is settled before the upgrade: a refusal is an ordinary HTTP answer. A browser page of another origin is refused,
 * because browsers open WebSockets across origins without asking; API clients send no Origin.
 *
 * The Rust worker 0.19 opens its stream with an empty bearer, right after it has registered its consumer with a real key. With `emptyBearerStreams`
 * such a stream is let in for a consumer that is known and whose id exactly one tenant has, and it reads as that tenant.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Upcasts } from '@allsource/schemas/upcasting';
import {
  rawProblem,
  type Route,
  type TenantResolver,
  toProblem,
  type WebSocketListener,
} from '@allsource/service-kit/http';
import type { Logger } from '@allsource/service-kit/observability';
import { presentedSecret } from '@allsource/shared/access';
import { type Problem, problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';
import { Parameters } from '@allsource/shared/protocol';
import { WebSocketServer } from 'ws';
import { SendTurns } from '../feed/send-turns.ts';
import { askedTexts, type ReaderTexts } from '../feed/reader-texts.ts';
import type { ConsumerFold } from '../consumers/consumer-fold.ts';
import type { ConsumerService } from '../consumers/consumer-service.ts';
import type { DurableLog } from '../read/durable-log.ts';
import type { LiveConnections } from './live-connections.ts';
import { type Authenticate, type LiveRight, requireReader, rightOf } from './live-right.ts';
import {
  STREAM_PACING,
  StreamConnection,
  type StreamConnectionOptions,
  type StreamPacing,
} from './stream-connection.ts';

const STREAM_PATH = '/api/v1/events/stream';

export interface StreamSocketOptions {
  readonly log: DurableLog;
  /** Brings payloads into the form that a reader asks for. */
  readonly upcasts: Upcasts;
  readonly consumers: ConsumerService;
  readonly consumerFold: ConsumerFold;
  readonly connections: LiveConnections;
  readonly authenticate: Authenticate;
  readonly resolveTenant: TenantResolver;
  readonly emptyBearerStreams: boolean;
  readonly logger: Logger;
  readonly pacing?: StreamPacing;
}

/** Who may read what through a stream, and as which consumer. */
interface Admission {
  readonly right: LiveRight;
  readonly consumerId: string | null;
  readonly texts: ReaderTexts;
}

/** A WebSocket and what it writes to. */
type SocketEnds = Pick<StreamConnectionOptions, 'socket' | 'connection'>;

/** Answers plain requests to the stream's path, which would otherwise look like a request for an event. */
export function streamSocketRoutes(): Route[] {
  return [
    {
      method: 'GET',
      path: STREAM_PATH,
      needs: 'read',
      summary: 'The WebSocket of live events, with the replay of a consumer in front.',
      handle: (call) => {
        call.response.setHeader('upgrade', 'websocket');
        throw problem(
          'upgrade_required',
          'Open this path as a WebSocket; for plain HTTP there is /api/v1/events/sse.',
        );
      },
    },
  ];
}

export class StreamSocket {
  readonly #options: StreamSocketOptions;
  readonly #server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: LIMITS.webSocketMessageBytesMax,
  });

  readonly #turns = new SendTurns();

  constructor(options: StreamSocketOptions) {
    this.#options = options;
    this.#server.on('wsClientError', (error, socket) => refuseHandshake(socket, error));
  }

  /** Takes over a connection that asks for a WebSocket. Those of other paths are refused. */
  readonly handle: WebSocketListener = (request, socket, head) => {
    // Until the WebSocket owns it, a socket that fails has nobody else to say so to.
    const onError = (error: Error) => this.#options.logger.debug({ err: error }, 'upgrade failed');
    socket.on('error', onError);
    try {
      requireStream(request);
      const admission = this.#admit(request);
      this.#options.connections.requireRoom();
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        socket.off('error', onError);
        void this.#serve({ socket: webSocket, connection: socket }, admission);
      });
    } catch (error) {
      refuse(socket, this.#loggedProblem(error));
    }
  };

  #loggedProblem(error: unknown): Problem {
    const failure = toProblem(error);
    if (failure.code === 'internal')
      this.#options.logger.error({ err: failure.cause }, 'upgrade failed');
    return failure;
  }

  #admit(request: IncomingMessage): Admission {
    const parameters = Parameters.ofUrl(request.url ?? '');
    const consumerId = parameters.text('consumer_id');
    const right =
      this.#rightOfConsumer(request, consumerId) ??
      this.#rightOfPrincipal(request, parameters.text('tenant_id'));
    // An id that breaks the rules is refused before the upgrade.
    if (consumerId !== null) this.#options.consumers.get(right.tenant, consumerId);
    return { right, consumerId, texts: askedTexts(parameters, this.#options.upcasts) };
  }

  #rightOfPrincipal(request: IncomingMessage, requestedTenant: string | null): LiveRight {
    const { authenticate, resolveTenant } = this.#options;
    const principal = requireReader(request, authenticate);
    return rightOf(request, resolveTenant(principal, requestedTenant), authenticate);
  }

  #rightOfConsumer(request: IncomingMessage, consumerId: string | null): LiveRight | null {
    const { emptyBearerStreams, consumerFold } = this.#options;
    if (!emptyBearerStreams || consumerId === null || !hasEmptyBearer(request)) return null;
    const [tenant, another] = consumerFold.tenantsOf(consumerId);
    return tenant === undefined || another !== undefined ? null : { tenant, fault: () => null };
  }

  async #serve(ends: SocketEnds, { right, consumerId, texts }: Admission): Promise<void> {
    const { log, consumers, connections, logger, pacing = STREAM_PACING } = this.#options;
    const consumer = consumerId === null ? null : consumers.get(right.tenant, consumerId);
    const stream = new StreamConnection({
      ...ends,
      log,
      right,
      consumer,
      texts,
      logger,
      pacing,
      turns: this.#turns,
    });
    ends.socket.once('close', () => connections.remove(stream));
    connections.add(stream);
    await stream.run();
  }
}

function hasEmptyBearer(request: IncomingMessage): boolean {
  return (
    /^bearer$/i.test(request.headers.authorization?.trim() ?? '') &&
    presentedSecret(request.headers) === null
  );
}

function requireStream(request: IncomingMessage): void {
  const path = (request.url ?? '').split('?', 1)[0] ?? '';
  if (path !== STREAM_PATH)
    throw problem('route_not_found', `There is no WebSocket at ${quoted(path)}.`);
  const { origin, host } = request.headers;
  if (origin === undefined) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw problem('forbidden', `Pages of ${quoted(origin)} may not open this WebSocket.`);
}

function refuseHandshake(socket: Duplex, { message }: Error): void {
  const failure = problem(
    'malformed_request',
    `This is not the handshake of a WebSocket: ${message}. Send one of version 13.`,
  );
  refuse(socket, failure, 'Sec-WebSocket-Version: 13\r\n');
}

/** Answers a refusal on the raw socket, as an express route would. */
function refuse(socket: Duplex, failure: Problem, headers = ''): void {
  const place = { edge: 'core', context: { instance: STREAM_PATH } } as const;
  socket.once('finish', () => socket.destroy());
  socket.end(rawProblem(failure, place, headers));
}
