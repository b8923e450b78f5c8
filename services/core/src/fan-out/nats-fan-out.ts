/**
 * Rings the doorbell: publishes every durable frame on NATS, for our own readers, and, where asked for, every event for other users of NATS.
 *
 * Promise: appends are never slowed or failed by NATS, and nothing is published before it is durable. Frames go out in position order. Whether they arrive
 * is not promised: readers follow the log itself and need NATS only to hear of it early (service-kit/feed).
 *
 * The log calls in with each frame; the frame is put into a bounded queue and published after the append has been answered. Each round of publishing waits for
 * the server's answer, so what is on its way is bounded too. When NATS is slow and the queue is full, or when there is no connection, frames are
 * let go, and one head notice is owed instead; it is sent as soon as the server takes something again. A frame over the server's message limit is
 * stood in for by a head notice.
 *
 * Events on allsource.events... are delivered at most once: who listens there and must not miss any reads the log by a consumer. System events, and
 * events over the server's limit, are not published there.
 */
import { NatsLink } from '@allsource/service-kit/feed';
import type { Logger } from '@allsource/service-kit/observability';
import {
  COMMITS_SUBJECT,
  encodeHeadNotice,
  type Frame,
  type FrameEvent,
  positionedEventJson,
} from '@allsource/shared/protocol';
import { headers, type NatsConnection } from '@nats-io/transport-node';
import type { DurableLog } from '../read/durable-log.ts';
import { eventSubject } from './event-subject.ts';

const MIB = 1024 * 1024;
/** Bytes of frames that wait for NATS. Two groups of the writer; beyond it a reader is quicker with core's feed. */
const QUEUE_BYTES_MAX = 16 * MIB;
/** Bytes of frames published before the server's answer is waited for, and before core turns to other work. */
const ROUND_BYTES_MAX = 0.25 * MIB;
/** What NATS is assumed to allow until it says so: its default. */
const PAYLOAD_BYTES_MAX_DEFAULT = 1 * MIB;
/** Bytes of the two headers of an event, rounded up. */
const EVENT_HEADER_BYTES = 256;

export interface NatsFanOutOptions {
  readonly log: DurableLog;
  readonly natsUrl: string;
  /** Whether each event is published on a subject of its own as well. */
  readonly publishEvents: boolean;
  readonly logger: Logger;
}

/** What has gone out since the start, for readyz details and metrics. It never makes core unready. */
export interface FanOutStatus {
  readonly isConnected: boolean;
  /** Why there is no connection, or null. */
  readonly fault: string | null;
  readonly publishedFrames: number;
  readonly publishedEvents: number;
  /** Head notices that stood in for frames. */
  readonly notices: number;
  /** Frames that were not published because NATS was away, slow, or takes no messages of their size. */
  readonly droppedFrames: number;
  readonly queuedBytes: number;
}

export class NatsFanOut {
  readonly #options: NatsFanOutOptions;
  readonly #link: NatsLink;
  readonly #counts = { publishedFrames: 0, publishedEvents: 0, notices: 0, droppedFrames: 0 };
  #connection: NatsConnection | null = null;
  #queue: Frame[] = [];
  #queuedBytes = 0;
  #isNoticeOwed = false;
  #publishing: Promise<void> | null = null;
  #unsubscribe: () => void = () => {};

  constructor(options: NatsFanOutOptions) {
    this.#options = options;
    this.#link = new NatsLink({
      natsUrl: options.natsUrl,
      name: 'allsource core',
      logger: options.logger,
      onConnected: (connection) => this.#connected(connection),
      onDisconnected: () => this.#disconnected(),
    });
  }

  get status(): FanOutStatus {
    return {
      isConnected: this.#connection !== null,
      fault: this.#link.fault,
      ...this.#counts,
      queuedBytes: this.#queuedBytes,
    };
  }

  start(): void {
    this.#unsubscribe = this.#options.log.subscribe((frame) => this.#hear(frame));
    this.#link.start();
  }

  /** Stops at once; frames that still wait are let go. May be called twice. */
  async close(): Promise<void> {
    this.#unsubscribe();
    await this.#link.close();
    await this.#publishing;
  }

  #hear(frame: Frame): void {
    if (this.#connection === null) {
      this.#counts.droppedFrames++;
      return;
    }
    if (this.#queuedBytes >= QUEUE_BYTES_MAX) this.#dropQueue();
    this.#queue.push(frame);
    this.#queuedBytes += frame.bytes.length;
    this.#publishSoon();
  }

  #dropQueue(): void {
    this.#counts.droppedFrames += this.#queue.length;
    this.#isNoticeOwed = true;
    this.#queue = [];
    this.#queuedBytes = 0;
  }

  #connected(connection: NatsConnection): void {
    this.#connection = connection;
    this.#isNoticeOwed = this.#options.log.head > 0;
    this.#publishSoon();
  }

  #disconnected(): void {
    this.#connection = null;
    this.#dropQueue();
  }

  #publishSoon(): void {
    this.#publishing ??= this.#publishAll().finally(() => {
      this.#publishing = null;
      // A new connection may have come while the rounds of the one before ended.
      if (this.#connection !== null && this.#hasWork()) this.#publishSoon();
    });
  }

  #hasWork(): boolean {
    return this.#queue.length > 0 || this.#isNoticeOwed;
  }

  async #publishAll(): Promise<void> {
    // The append that this frame came from is answered first.
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    while (this.#hasWork() && this.#connection !== null) await this.#publishRound(this.#connection);
  }

  /** Publishes some of what waits, then waits until the server has it or the connection is gone. */
  async #publishRound(connection: NatsConnection): Promise<void> {
    try {
      if (this.#isNoticeOwed) this.#publishNotice(connection);
      for (const frame of this.#takeRound()) this.#publishFrame(connection, frame);
      await Promise.race([connection.flush(), connection.closed()]);
    } catch (error) {
      this.#isNoticeOwed = true;
      this.#options.logger.debug({ err: error }, 'a round of frames did not go out to NATS');
      await connection.close();
    }
  }

  #takeRound(): Frame[] {
    let count = 0;
    let bytes = 0;
    for (const frame of this.#queue) {
      if (bytes >= ROUND_BYTES_MAX) break;
      bytes += frame.bytes.length;
      count++;
    }
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  #publishFrame(connection: NatsConnection, frame: Frame): void {
    if (frame.bytes.length <= payloadBytesMax(connection)) {
      connection.publish(COMMITS_SUBJECT, frame.bytes);
      this.#counts.publishedFrames++;
    } else {
      this.#counts.droppedFrames++;
      this.#publishNotice(connection);
    }
    if (!this.#options.publishEvents || frame.isSystem) return;
    for (const event of frame.events()) this.#publishEvent(connection, event);
  }

  #publishNotice(connection: NatsConnection): void {
    const { head, logId } = this.#options.log;
    connection.publish(COMMITS_SUBJECT, encodeHeadNotice(head, logId));
    this.#counts.notices++;
    this.#isNoticeOwed = false;
  }

  #publishEvent(connection: NatsConnection, event: FrameEvent): void {
    const body = Buffer.from(positionedEventJson(event));
    if (body.length + EVENT_HEADER_BYTES > payloadBytesMax(connection)) return;
    const named = headers();
    named.set('Nats-Msg-Id', event.id);
    named.set('Allsource-Position', String(event.position));
    const { frame, partition, type } = event;
    connection.publish(eventSubject({ tenant: frame.tenant, partition, type }), body, {
      headers: named,
    });
    this.#counts.publishedEvents++;
  }
}

function payloadBytesMax(connection: NatsConnection): number {
  return connection.info?.max_payload ?? PAYLOAD_BYTES_MAX_DEFAULT;
}
