/**
 * One WebSocket client of the event stream: what it missed, the word that it has caught up, then what comes.
 *
 * One tail of the log (read/log-tail.ts) serves all of it, opened before anything is sent, so each event is sent once and in order with no
 * seam between replay and live. What lies at or below the head of the moment of the connection is replay; it carries positions, and the client
 * acknowledges them over HTTP. Everything after `replay_complete` is a bare event.
 *
 * Memory: at most `socketBytesMax` wait in the socket. During replay, and while the client takes what it is sent, the log itself is the queue. Only a
 * client that takes nothing for `slowMs` after its replay lags: it keeps its newest events (feed/lag-queue.ts), and when it takes again it is told how
 * many it missed.
 *
 * A subscribe frame changes the live filter at any time; the replay goes on with the filters of the consumer.
 */
import type { Duplex } from 'node:stream';
import type { Logger } from '@allsource/service-kit/observability';
import { LIMITS } from '@allsource/shared/limits';
import { type Position, positionAfter } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { WebSocket } from 'ws';
import type { Consumer } from '../consumers/consumer-fold.ts';
import { EventFilter } from '../feed/event-filter.ts';
import type { ReaderTexts } from '../feed/reader-texts.ts';
import { LagQueue } from '../feed/lag-queue.ts';
import { LiveFrame } from '../feed/live-frame.ts';
import { parseSubscribeFrame } from '../feed/subscribe-frame.ts';
import { textMessage } from '../feed/text-message.ts';
import type { SendTurns } from '../feed/send-turns.ts';
import type { DurableLog } from '../read/durable-log.ts';
import { LogTail } from '../read/log-tail.ts';
import { TenantMatcher } from '../read/tenant-matcher.ts';
import type { LiveConnection } from './live-connections.ts';
import type { LiveRight } from './live-right.ts';
import { PacedSocket } from './paced-socket.ts';

const CLOSE_GOING_AWAY = 1001;
const CLOSE_POLICY = 1008;
const CLOSE_FAULT = 1011;
const CLOSE_REASON_BYTES_MAX = 123;
/** How often a lagging client is looked at while nothing comes. */
const LAG_POLL_MS = 50;
/** So much leaves in one write. */
const PENDING_BYTES_MAX = 32 * 1024;

/** When a client is asked whether it lives, and from when on it counts as slow. */
export interface StreamPacing {
  readonly pingMs: number;
  readonly slowMs: number;
  readonly socketBytesMax: number;
}

export const STREAM_PACING: StreamPacing = {
  pingMs: 20_000,
  slowMs: LIMITS.slowSubscriberMs,
  socketBytesMax: LIMITS.liveSocketBytesMax,
};

export interface StreamConnectionOptions {
  readonly socket: WebSocket;
  /** What the socket writes to. */
  readonly connection: Duplex;
  readonly log: DurableLog;
  readonly right: LiveRight;
  /** The consumer whose missed events are replayed first; null = only what comes. */
  readonly consumer: Consumer | null;
  /** The form of the events. */
  readonly texts: ReaderTexts;
  readonly logger: Logger;
  readonly pacing: StreamPacing;
  /** Shared by all connections. */
  readonly turns: SendTurns;
}

export class StreamConnection implements LiveConnection {
  readonly #options: StreamConnectionOptions;
  readonly #socket: PacedSocket;
  readonly #tail: LogTail;
  readonly #matcher: TenantMatcher;
  /** The last position of the replay. */
  readonly #replayEnd: Position;
  readonly #after: Position;
  #liveFilter: EventFilter;
  #lag: LagQueue | null = null;
  /** Live messages that leave together. */
  readonly #pending: Buffer[] = [];
  #pendingBytes = 0;
  #pingedAt = performance.now();
  #isEnding = false;

  constructor(options: StreamConnectionOptions) {
    const { log, consumer, right, socket } = options;
    this.#options = options;
    this.#socket = new PacedSocket(socket, options.connection, options.pacing.socketBytesMax);
    this.#matcher = new TenantMatcher(right.tenant);
    this.#liveFilter = new EventFilter(consumer === null ? {} : { types: consumer.filter });
    this.#replayEnd = log.head;
    // A cursor beyond the head can only come from a log that was replaced; such a reader has nothing to catch up.
    this.#after = consumer !== null && consumer.cursor < log.head ? consumer.cursor : log.head;
    this.#tail = new LogTail({ log, from: positionAfter(this.#after, 1) });
    socket.on('message', (data, isBinary) => {
      if (!isBinary && Buffer.isBuffer(data)) this.#takeMessage(data.toString('utf8'));
    });
    socket.on('error', (error) => options.logger.debug({ err: error }, 'WebSocket failed'));
    socket.once('close', () => void this.#tail.close());
  }

  /** Sends until the socket has closed. */
  async run(): Promise<void> {
    try {
      if (this.#options.consumer !== null) await this.#replay(this.#options.consumer);
      await this.#follow();
    } catch (error) {
      this.#options.logger.error({ err: error }, 'event stream ended: it could not be read on');
      this.#close(CLOSE_FAULT, 'The stream could not be read on; connect again.');
    } finally {
      await this.#tail.close();
    }
  }

  async #replay(consumer: Consumer): Promise<void> {
    const { turns } = this.#options;
    const filter = new EventFilter({ types: consumer.filter });
    let replayed = 0;
    while (this.#tail.position < this.#replayEnd) {
      const frame = await this.#tail.next();
      if (frame === null) return;
      if (!this.#matcher.owns(frame)) continue;
      const live = LiveFrame.of(frame);
      for (const event of live.events) {
        if (event.position <= this.#after || !filter.matches(event)) continue;
        if (!this.#socket.isReady) await this.#socket.ready();
        const text = await this.#options.texts.bare(event);
        if (!turns.take()) await turns.wait();
        this.#sendText(`{"type":"replay","position":${event.position},"event":${text}}`);
        replayed += 1;
      }
    }
    this.#sendText(`{"type":"replay_complete","replayed":${replayed}}`);
  }

  async #follow(): Promise<void> {
    for (;;) {
      let frame = await this.#tail.next(this.#lag === null ? undefined : LAG_POLL_MS);
      if (this.#tail.isClosed) return;
      if (frame !== null && this.#matcher.owns(frame)) {
        await this.#untilTurn();
        // What has come while it waited leaves with it: the more there is to send, the less a message costs.
        for (; frame !== null; frame = this.#tail.nextAtHand()) await this.#collect(frame);
        this.#flush();
      }
      if (this.#lag !== null && this.#socket.isReady) await this.#recover(this.#lag);
    }
  }

  /** Puts the live events of a frame to those that leave together. */
  async #collect(frame: Frame): Promise<void> {
    if (!this.#matcher.owns(frame)) return;
    for (const event of LiveFrame.of(frame).events) {
      if (event.position <= this.#after || !this.#liveFilter.matches(event)) continue;
      const message = this.#options.texts.message(event);
      this.#pending.push(message instanceof Promise ? await message : message);
      this.#pendingBytes += this.#pending.at(-1)?.length ?? 0;
      if (this.#pendingBytes < PENDING_BYTES_MAX) continue;
      this.#flush();
      await this.#untilTurn();
    }
  }

  /** Sends what was collected, in one write. */
  #flush(): void {
    const pending = this.#pending.splice(0);
    this.#pendingBytes = 0;
    if (this.#lag !== null) for (const message of pending) this.#lag.push(message);
    else if (pending.length > 0) this.#socket.send(oneOf(pending));
  }

  /** Waits until the client takes more and this connection has its turn. A client that takes nothing for too long lags from then on. */
  async #untilTurn(): Promise<void> {
    const { turns, pacing } = this.#options;
    if (this.#lag === null && !this.#socket.isReady)
      if (!(await this.#socket.readyWithin(pacing.slowMs))) this.#lag = new LagQueue();
    if (!turns.take()) await turns.wait();
  }

  #sendText(text: string): void {
    this.#socket.send(textMessage(text));
  }

  async #recover(lag: LagQueue): Promise<void> {
    this.#lag = null;
    const { right, logger } = this.#options;
    if (lag.missed > 0) {
      logger.warn({ tenant: right.tenant, missed: lag.missed }, 'a slow subscriber missed events');
      this.#sendText(`{"type":"lagged","missed":${lag.missed}}`);
    }
    for (const message of lag.messages) {
      await this.#untilTurn();
      this.#pending.push(message);
      this.#flush();
    }
  }

  #takeMessage(text: string): void {
    this.#socket.noteSignOfLife();
    const frame = parseSubscribeFrame(text);
    if (frame.kind === 'filter') this.#liveFilter = frame.filter;
    else if (frame.kind === 'too_many')
      this.#close(CLOSE_POLICY, `At most ${LIMITS.filtersMax} filters are allowed.`);
  }

  tick(): void {
    if (this.#isEnding) return this.terminate();
    const fault = this.#options.right.fault();
    if (fault !== null) return this.#close(CLOSE_POLICY, fault);
    const now = performance.now();
    if (now - this.#pingedAt < this.#options.pacing.pingMs) return;
    if (this.#socket.lastSignOfLifeAt < this.#pingedAt) return this.terminate();
    this.#pingedAt = now;
    this.#options.socket.ping();
  }

  endForShutdown(): void {
    this.#close(CLOSE_GOING_AWAY, 'The service is shutting down; connect again.');
  }

  #close(code: number, reason: string): void {
    this.#isEnding = true;
    void this.#tail.close();
    this.#options.socket.close(code, cutToBytes(reason, CLOSE_REASON_BYTES_MAX));
  }

  terminate(): void {
    this.#options.socket.terminate();
  }
}

function oneOf(messages: readonly Buffer[]): Buffer {
  const [first] = messages;
  return messages.length === 1 && first !== undefined ? first : Buffer.concat(messages);
}

function cutToBytes(text: string, bytesMax: number): string {
  return Buffer.byteLength(text) <= bytesMax
    ? text
    : Buffer.from(text).toString('utf8', 0, bytesMax - 3);
}
