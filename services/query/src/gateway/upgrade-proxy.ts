/**
 * Carries WebSockets to core: the handshake is forwarded, and from then on bytes pass both ways untouched until one side ends. Core
 * authenticates the handshake, because only core can recognize a worker that presents no key but names a registered consumer. Whatever is not a
 * stream of core is refused here.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  PROBLEM_CONTENT_TYPE,
  Problem,
  type ProblemContext,
  problem,
} from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import {
  answerHeadersBack,
  forwardedBy,
  gatewayErrorBody,
  type LiveConnections,
  readErrorText,
  requestHeadersOnward,
  requireFirstHop,
  type Upstream,
} from '@allsource/service-kit/forward';
import { rawProblem } from '@allsource/service-kit/http';
import type { Logger } from '@allsource/service-kit/observability';

const STREAM_PATH = '/api/v1/events/stream';
const STREAM_PATHS: ReadonlySet<string> = new Set([STREAM_PATH, '/api/events/stream']);

export interface UpgradeProxyOptions {
  readonly core: Upstream;
  readonly live: LiveConnections;
  readonly logger: Logger;
}

export class UpgradeProxy {
  readonly #options: UpgradeProxyOptions;

  constructor(options: UpgradeProxyOptions) {
    this.#options = options;
  }

  /** Takes over a connection that asks for an upgrade. `head` holds bytes that came behind the handshake. */
  handle(request: IncomingMessage, client: Duplex, head: Buffer): void {
    client.on('error', (error) => {
      this.#options.logger.debug({ err: error }, 'a live connection broke');
    });
    try {
      this.#open(request, client, head);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      refuse(client, error, request);
    }
  }

  #open(request: IncomingMessage, client: Duplex, head: Buffer): void {
    const url = request.url ?? '';
    const [path = '', query] = url.split('?', 2);
    if (!STREAM_PATHS.has(path)) throw problem('route_not_found', `There is no stream at ${path}.`);
    requireFirstHop(request.headers);
    const release = this.#options.live.admit(() => client.destroy());
    client.once('close', release);
    const handshake = this.#options.core.request({
      method: 'GET',
      path: query === undefined ? STREAM_PATH : `${STREAM_PATH}?${query}`,
      headers: {
        ...requestHeadersOnward(request.headers),
        ...forwardedBy('gateway'),
        connection: 'Upgrade',
        upgrade: request.headers.upgrade ?? 'websocket',
      },
    });
    client.once('close', () => handshake.destroy());
    this.#await(handshake, { request, client, head });
    handshake.end();
  }

  #await(handshake: ClientRequest, { request, client, head }: Upgrade): void {
    const { logger } = this.#options;
    handshake.once('timeout', () => handshake.destroy());
    handshake.once('error', (error) => {
      logger.debug({ err: error }, 'a live connection could not be opened');
      const failure = problem(
        'upstream_unavailable',
        "The service 'core' does not answer. Connect again shortly.",
      );
      refuse(client, failure, request);
    });
    handshake.once('response', (answer) => void relayRefusal(answer, { request, client }));
    handshake.once('upgrade', (answer, core: Duplex, early: Buffer) => {
      handshake.setTimeout(0);
      client.write(handshakeText(answer));
      if (early.length > 0) client.write(early);
      if (head.length > 0) core.write(head);
      join(client, core);
    });
  }
}

interface Upgrade {
  readonly request: IncomingMessage;
  readonly client: Duplex;
  readonly head: Buffer;
}

/** Two sockets become one: bytes, back-pressure and the end pass from each to the other. */
function join(client: Duplex, core: Duplex): void {
  client.pipe(core);
  core.pipe(client);
  for (const [one, other] of [
    [client, core],
    [core, client],
  ] as const) {
    one.once('error', () => other.destroy());
    one.once('close', () => other.destroy());
  }
}

function handshakeText(answer: IncomingMessage): string {
  const lines = [`HTTP/1.1 ${answer.statusCode} ${answer.statusMessage}`];
  for (let i = 0; i < answer.rawHeaders.length; i += 2)
    lines.push(`${answer.rawHeaders[i]}: ${answer.rawHeaders[i + 1]}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

async function relayRefusal(
  answer: IncomingMessage,
  { request, client }: Pick<Upgrade, 'request' | 'client'>,
): Promise<void> {
  const status = answer.statusCode ?? 502;
  // A refusal that breaks off is still a refusal, without its reason.
  const text = await readErrorText(answer, LIMITS.upstreamErrorBytesMax).catch(() => '');
  const body = JSON.stringify(gatewayErrorBody(status, text, contextOf(request)));
  const headers = {
    ...answerHeadersBack(answer.headers),
    connection: 'close',
    'content-type': PROBLEM_CONTENT_TYPE,
    'content-length': Buffer.byteLength(body),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}\r\n`);
  end(client, `HTTP/1.1 ${status} ${answer.statusMessage}\r\n${lines.join('')}\r\n${body}`);
}

function contextOf(request: IncomingMessage): ProblemContext {
  return { instance: (request.url ?? '').split('?', 1)[0] ?? '' };
}

/** Answers a handshake that is not accepted here. */
function refuse(client: Duplex, failure: Problem, request: IncomingMessage): void {
  end(client, rawProblem(failure, { edge: 'gateway', context: contextOf(request) }));
}

function end(client: Duplex, answer: string): void {
  if (!client.destroyed && client.writable) client.end(answer);
}
