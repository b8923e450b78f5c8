/**
 * A lean lane in front of Node's HTTP server. It takes each new connection first, gives it to a reader that serves some plain requests on the bare socket, and
 * hands it over to Node's server when anything else comes; there it stays. A request on Node's server costs 70 us of processor time before anybody has looked at
 * it, in a lane 20 (measured; docs/decisions/0010-append-lane.md).
 *
 * Connections that do nothing are closed by the times of the server whose socket it is.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { must } from '@allsource/shared/lang';
import { Crowding } from '../../processes/index.ts';
import { AnswerHeads } from './answer-heads.ts';
import { BusyPoll } from './busy-poll.ts';
import { LaneConnection, type LaneReader, type LaneTurn } from './lane-connection.ts';

const SWEEP_MS = 1000;

export interface ConnectionLaneOptions {
  /** Does not listen yet. */
  readonly server: Server;
  /** Makes the reader of a new connection. */
  readonly reader: (turn: LaneTurn) => LaneReader;
  /** How long to look for the next request after an answer, in milliseconds (busy-poll.ts). Default: 0, not at all. */
  readonly busyPollMs?: number;
  /** Told of each request that came soon after an answer, while it is looked for; with its moment on the clock of `performance.now`. */
  readonly onSoon?: (atMs: number) => void;
}

export class ConnectionLane {
  readonly #server: Server;
  readonly #connections = new Set<LaneConnection>();
  readonly #sweep: NodeJS.Timeout;
  #onEmpty: (() => void) | null = null;

  /** Puts the lane in front of the server. */
  constructor({ server, reader, busyPollMs = 0, onSoon = () => undefined }: ConnectionLaneOptions) {
    this.#server = server;
    const heads = new AnswerHeads(server.keepAliveTimeout);
    const crowding = new Crowding();
    const busyPoll = new BusyPoll({
      windowMs: busyPollMs,
      isCrowded: (atMs) => crowding.isCrowded(atMs),
      onSoon,
      nowMs: () => performance.now(),
      inNextTurn: setImmediate,
    });
    const [serveHttp] = server.listeners('connection');
    const handOver = (socket: Socket) => must(serveHttp, 'an HTTP server').call(server, socket);
    const onLeft = (connection: LaneConnection) => this.#left(connection);
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      this.#connections.add(
        new LaneConnection({ socket, heads, busyPoll, reader, handOver, onLeft }),
      );
    });
    this.#sweep = setInterval(() => this.#closeStale(), SWEEP_MS).unref();
  }

  #left(connection: LaneConnection): void {
    this.#connections.delete(connection);
    if (this.#connections.size === 0) this.#onEmpty?.();
  }

  // As Node's server does: a first request may take its time, a kept connection is closed early, and a body has to come whole in time, in drops or not.
  #closeStale(): void {
    const { headersTimeout, keepAliveTimeout, requestTimeout } = this.#server;
    const now = performance.now();
    for (const connection of this.#connections) {
      if (connection.isAnswering) continue;
      const { readingSince, activeAt } = connection;
      if (readingSince !== null) {
        if (now - readingSince > requestTimeout) connection.destroy();
      } else if (now - activeAt > (connection.isFresh ? headersTimeout : keepAliveTimeout))
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
