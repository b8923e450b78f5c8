/**
 * Requests that ask to go on in another protocol. The only one taken is a WebSocket, where the server has any. Asking for another is ignored (RFC 9110, 7.8) and the request
 * served as if it had not asked: curl and Java's client ask for HTTP/2 with each request on plain HTTP (`Upgrade: h2c`).
 *
 * Node can be told to ignore it, and then loses what came behind the request in the same packet. So such a connection is taken over as for a WebSocket, and served anew from
 * this request on, without the headers that ask. That takes a connection with no answer due and a server that goes on listening; elsewhere Node ignores it, and the request is the last of its connection.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type ErrorEdge, problem } from '@allsource/shared/errors';
import type { PendingAnswers } from './pending-answers.ts';
import { rawProblem } from './raw-problem.ts';

/** Takes over a connection that asks for a WebSocket. `head` holds bytes that came behind the handshake. */
export type WebSocketListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => void;

export interface UpgradesOptions {
  readonly server: Server;
  readonly edge: ErrorEdge;
  readonly answers: PendingAnswers;
  /** Null: the server has no WebSockets. */
  readonly onWebSocket: WebSocketListener | null;
}

/** Headers, and options of the header Connection, that only ask for another protocol. */
const ASKING: ReadonlySet<string> = new Set(['upgrade', 'http2-settings']);

export class Upgrades {
  readonly #options: UpgradesOptions;
  /** The last request of each connection that Node has ignored one on. */
  readonly #last = new WeakMap<Duplex, IncomingMessage>();

  /** Takes the upgrades of a server whose `shouldUpgradeCallback` is {@link isTaken}. */
  constructor(options: UpgradesOptions) {
    this.#options = options;
    const { server, onWebSocket } = options;
    server.on('upgrade', (request, socket, head) => {
      if (onWebSocket !== null && isWebSocket(request)) onWebSocket(request, socket, head);
      else this.#serveAnew(request, head);
    });
    server.on('connect', (request) => this.#refuseTunnel(request));
  }

  /** Whether the connection of a request that asks is taken over. */
  isTaken(request: IncomingMessage): boolean {
    const { server, answers, onWebSocket } = this.#options;
    const isForSocket = onWebSocket !== null && isWebSocket(request);
    const isTaken = (isForSocket || server.listening) && !answers.isDue(request.socket);
    if (!isTaken) this.#last.set(request.socket, request);
    return isTaken;
  }

  /** Whether a request is served. What comes behind the last one of a connection may begin in the middle of another. */
  isServed(request: IncomingMessage, response: ServerResponse): boolean {
    const last = this.#last.get(request.socket);
    if (last === undefined) return true;
    if (last !== request) return false;
    response.setHeader('connection', 'close');
    return true;
  }

  #serveAnew(request: IncomingMessage, head: Buffer): void {
    const { socket } = request;
    socket.unshift(Buffer.concat([headWithoutUpgrade(request), head]));
    this.#options.server.emit('connection', socket);
  }

  #refuseTunnel({ socket }: IncomingMessage): void {
    const { answers, edge } = this.#options;
    socket.on('error', () => undefined);
    if (answers.isDue(socket)) {
      socket.destroy();
      return;
    }
    const failure = problem('method_not_allowed', 'CONNECT is for proxies, and this is none.');
    socket.end(rawProblem(failure, { edge }), () => socket.destroy());
  }
}

function isWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket';
}

function headWithoutUpgrade({ method, url, httpVersion, rawHeaders }: IncomingMessage): Buffer {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string;
    const lowerName = name.toLowerCase();
    if (ASKING.has(lowerName)) continue;
    const value = rawHeaders[i + 1] as string;
    const kept = lowerName === 'connection' ? withoutAsking(value) : value;
    // No blank behind the colon: the head is no longer than it was, and so within its limit.
    if (kept !== null) lines.push(`${name}:${kept}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

/** Null: nothing is left. */
function withoutAsking(options: string): string | null {
  const kept = options.split(',').filter((option) => !ASKING.has(option.trim().toLowerCase()));
  return kept.length === 0 ? null : kept.join(',');
}
