/**
 * Live events over a WebSocket, with the replay of a durable consumer in front.
 *
 * With a consumer nothing is lost and nothing comes twice, however often the connection breaks: the store replays behind the consumer's cursor, and what was
 * delivered already is dropped by its position. That rests on the reader acknowledging: what he does not acknowledge is replayed (and dropped)
 * at every reconnect. When the store says that it dropped messages for a slow reader, or the queue here is full, the connection is made anew
 * once the queue is read, and the replay fills the gap.
 *
 * Without a consumer only what comes is delivered; a gap is said by `lagged`.
 *
 * A WebSocket does not say why a handshake was refused, so a plain request asks the same path: 426 means that the store is well, anything else is the
 * reason. After a silence the same request, and a frame that the store passes over, find out whether the connection is still there.
 */
import type { StoredEvent } from '../events/stored-event.ts';
import { AllSourceError, unreachable } from '../http/allsource-error.ts';
import type { Connection } from '../http/connection.ts';
import { pause, reasonOf } from '../http/pause.ts';
import { Backoff, RECONNECT } from '../http/retry.ts';
import { MessageQueue, type QueueLimits } from './message-queue.ts';
import { SilenceWatch, STREAM_PATH, streamFault } from './silence-watch.ts';
import { parseStreamFrame, replayedPosition, type StreamFrame } from './stream-frame.ts';
import type { StreamItem } from './stream-item.ts';
import { openWebSocket, type WebSocketFactory, type WebSocketLike } from './web-socket.ts';

/** A connection that lasted this long counts as recovered: the next outage begins with short delays. */
const STABLE_MS = 1_000;
const OPENING_MS_MAX = 30_000;
const QUEUE: QueueLimits = { messagesMax: 10_000, charactersMax: 32 * 1024 * 1024 };

export interface SubscribeOptions {
  /** The durable consumer whose missed events come first. Without it only what comes from now on. */
  readonly consumerId?: string | undefined;
  /** Event types, exact or prefixes such as `order.*`, at most 100. A consumer is registered with them; without them it keeps its own. */
  readonly eventTypes?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

type RawItem = StreamItem<StoredEvent>;

/** What a subscription needs of its client. */
export interface SubscriptionSettings {
  readonly webSocket?: WebSocketFactory | undefined;
  readonly queueMessagesMax?: number | undefined;
}

export class Subscription {
  readonly #connection: Connection;
  readonly #settings: SubscriptionSettings;
  readonly #options: SubscribeOptions & { readonly signal: AbortSignal };
  #deliveredPosition = 0;
  #wasConnected = false;
  #openedAtMs = Number.POSITIVE_INFINITY;

  constructor(
    connection: Connection,
    settings: SubscriptionSettings,
    options: SubscribeOptions & { readonly signal: AbortSignal },
  ) {
    this.#connection = connection;
    this.#settings = settings;
    this.#options = options;
  }

  async *items(): AsyncGenerator<RawItem, void, undefined> {
    const { signal } = this.#options;
    let backoff: Backoff | null = null;
    while (!signal.aborted) {
      try {
        await this.#register();
        const end = yield* this.#connectionItems();
        if (end === 'ended') throw this.#ended();
        yield { kind: 'reconnecting', error: null, delayMs: 0 };
      } catch (error) {
        if (signal.aborted) return;
        if (!(error instanceof AllSourceError) || !error.retryable) throw error;
        if (performance.now() - this.#openedAtMs > STABLE_MS) backoff = null;
        this.#openedAtMs = Number.POSITIVE_INFINITY;
        backoff ??= new Backoff(RECONNECT);
        const delayMs = backoff.nextDelayMs(error.retryAfterMs) ?? RECONNECT.delayMsMax;
        yield { kind: 'reconnecting', error, delayMs };
        await pause(delayMs, signal).catch(() => undefined);
      }
    }
  }

  #ended(): AllSourceError {
    return unreachable(this.#connection.transport.url, new Error('the event stream has ended'));
  }

  async #register(): Promise<void> {
    const { consumerId, eventTypes, signal } = this.#options;
    if (consumerId === undefined || eventTypes === undefined || this.#wasConnected) return;
    const body = { consumer_id: consumerId, event_type_filters: eventTypes };
    await this.#connection.send({ method: 'POST', path: '/api/v1/consumers', body }, { signal });
  }

  /** What one connection delivers, and whether it ended because the reader was behind: then the next one is made at once. Throws when it does not come about. */
  async *#connectionItems(): AsyncGenerator<RawItem, 'behind' | 'ended', undefined> {
    const { signal } = this.#options;
    const socket = this.#open();
    const { messagesMax } = QUEUE;
    const limits = { ...QUEUE, messagesMax: this.#settings.queueMessagesMax ?? messagesMax };
    const queue = new MessageQueue(socket, limits);
    const watch = new SilenceWatch(this.#connection, socket, () => queue.end());
    // An abort must not wait for a reader who has stopped reading.
    const end = () => {
      queue.end();
      watch.stop();
      socket.close(1000);
    };
    signal.addEventListener('abort', end);
    socket.addEventListener('message', ({ data }) => {
      watch.heard();
      if (!this.#isRepeated(data)) queue.push(data);
    });
    socket.addEventListener('close', () => queue.end());
    try {
      await this.#opened(socket, queue);
      watch.start();
      if (this.#wasConnected && this.#options.consumerId === undefined)
        yield { kind: 'lagged', missed: null };
      this.#wasConnected = true;
      return yield* this.#framesOf(queue);
    } finally {
      signal.removeEventListener('abort', end);
      end();
    }
  }

  #open(): WebSocketLike {
    const { transport } = this.#connection;
    const url = new URL(transport.url.replace(/^http/, 'ws') + STREAM_PATH);
    const { consumerId } = this.#options;
    if (consumerId !== undefined) url.searchParams.set('consumer_id', consumerId);
    const headers: Record<string, string> =
      transport.apiKey === null ? {} : { authorization: `Bearer ${transport.apiKey}` };
    return (this.#settings.webSocket ?? openWebSocket)(url.href, headers);
  }

  async #opened(socket: WebSocketLike, queue: MessageQueue): Promise<void> {
    const { signal, eventTypes } = this.#options;
    const isOpen = await hasOpened(socket, signal);
    if (signal.aborted) throw reasonOf(signal);
    if (!isOpen) {
      queue.end();
      throw await this.#refusal();
    }
    this.#openedAtMs = performance.now();
    if (eventTypes !== undefined)
      socket.send(JSON.stringify({ type: 'subscribe', filters: eventTypes }));
  }

  async #refusal(): Promise<unknown> {
    const fault = await streamFault(this.#connection, this.#options);
    return (
      fault ?? unreachable(this.#connection.transport.url, new Error('no WebSocket came about'))
    );
  }

  async *#framesOf(queue: MessageQueue): AsyncGenerator<RawItem, 'behind' | 'ended', undefined> {
    const isConsumer = this.#options.consumerId !== undefined;
    for (let next = await queue.next(); next !== null; next = await queue.next()) {
      if (this.#options.signal.aborted) return 'ended';
      const frame = parseStreamFrame(next.data);
      if (frame.kind === 'other' || !this.#isNew(frame)) continue;
      // The replay of a new connection brings what was dropped.
      if (frame.kind === 'lagged' && isConsumer) return 'behind';
      yield frame;
    }
    return queue.hasOverflowed ? 'behind' : 'ended';
  }

  /** Repeated events take no room in the queue: a replay that repeats more than fits must come to what is new. */
  #isRepeated(data: unknown): boolean {
    const position = typeof data === 'string' ? replayedPosition(data) : null;
    return position !== null && position <= this.#deliveredPosition;
  }

  #isNew(frame: StreamFrame): boolean {
    if (frame.kind !== 'event' || frame.position === null) return true;
    if (frame.position <= this.#deliveredPosition) return false;
    this.#deliveredPosition = frame.position;
    return true;
  }
}

/** True when the handshake succeeds; false when it fails, takes too long, or the signal aborts first. */
function hasOpened(socket: WebSocketLike, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const settle = (isOpen: boolean) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', fail);
      resolve(isOpen);
    };
    const fail = () => settle(false);
    const timer = setTimeout(fail, OPENING_MS_MAX);
    socket.addEventListener('open', () => settle(true));
    socket.addEventListener('error', fail);
    socket.addEventListener('close', fail);
    signal.addEventListener('abort', fail);
  });
}
