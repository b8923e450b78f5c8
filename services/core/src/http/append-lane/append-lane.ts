/**
 * The lean lane of the append routes. It takes each new connection before Node's HTTP server does, serves plain append requests on the bare socket, and hands
 * the connection over when anything else comes (append-connection.ts). A request on Node's server costs 70 us of processor time before anybody
 * has looked at it, four fifths of a single append; here it costs 20 (measured; docs/decisions/0010-append-lane.md).
 *
 * It has no rules of its own: authentication, limits and answers are those of append-route.ts on both ways. Connections that do nothing are closed by
 * the times of the server whose socket it is.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { must } from '@allsource/shared/lang';
import type { HttpMetrics } from '@allsource/service-kit/observability';
import type { AppendRoute } from '../append-route.ts';
import { AnswerHeads } from './answer-head.ts';
import { AppendConnection } from './append-connection.ts';

const SWEEP_MS = 1000;

export interface AppendLaneOptions {
  readonly server: Server;
  readonly route: AppendRoute;
  readonly httpMetrics: HttpMetrics;
}

export class AppendLane {
  readonly #server: Server;
  readonly #connections = new Set<AppendConnection>();
  readonly #sweep: NodeJS.Timeout;
  #onEmpty: (() => void) | null = null;

  /** Puts the lane in front of a server that does not listen yet. */
  constructor({ server, route, httpMetrics }: AppendLaneOptions) {
    this.#server = server;
    const heads = new AnswerHeads(server.keepAliveTimeout);
    const [serveHttp] = server.listeners('connection');
    const handOver = (socket: Socket) => must(serveHttp, 'an HTTP server').call(server, socket);
    const onLeft = (connection: AppendConnection) => this.#left(connection);
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      const common = { socket, route, heads, httpMetrics, handOver, onLeft };
      this.#connections.add(new AppendConnection(common));
    });
    this.#sweep = setInterval(() => this.#closeStale(), SWEEP_MS).unref();
  }

  #left(connection: AppendConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  // As Node's server does: a first request may take its time, a kept connection is closed early, and no body may come in drops for ever.
  #closeStale(): void {
    const { headersTimeout, keepAliveTimeout, requestTimeout } = this.#server;
    const now = performance.now();
    for (const connection of this.#connections) {
      const silentMs = now - connection.activeAt;
      if (connection.isAnswering) continue;
      if (!connection.isIdle) {
        if (silentMs > requestTimeout) connection.destroy();
      } else if (silentMs > (connection.isFresh ? headersTimeout : keepAliveTimeout))
        connection.close();
    }
  }

  /** Ends idle connections, lets the others have their answer, and destroys what is left after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    clearInterval(this.#sweep);
    for (const connection of this.#connections) connection.close();
    if (this.#connections.size === 0) return;
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy();
    }, graceMs);
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    clearTimeout(timer);
  }
}
