/**
 * Live events over a server-sent event stream, without a gap and without a repeat across disconnects.
 *
 * The id of each message is the event's position. After a disconnect the stream is opened again with the last position in `Last-Event-ID`, and the
 * server sends what came since. A message that carries only an id moves the position on, so that a stream on which nothing matched does not
 * ask for the same stretch again. Positions that were delivered already are dropped. A stream on which nothing
 * arrives for `silenceMsMax`, not even a heart-beat, counts as broken.
 *
 * The consumer pulls: while it is busy nothing is read, and the socket's flow control slows the server down.
 */
import type { PositionedEvent } from '../core/consumers.ts';
import { TypeFilter } from '@allsource/shared/protocol';
import { AllSourceError, badAnswer, unreachable } from '../http/allsource-error.ts';
import { EventStreamParser, type StreamMessage } from './event-stream-parser.ts';
import { LinkedSignal } from '../http/linked-signal.ts';
import { pause } from '../http/pause.ts';
import { Backoff, type RetryNotice, type RetryPolicy } from '../http/retry.ts';
import { parseStoredEvent, type StoredEvent } from '../events/stored-event.ts';
import type { Transport } from '../http/transport.ts';

const PATH = '/api/v1/events/sse';
const SILENCE_MS_MAX = 60_000;
/** A stream that was open this long counts as recovered: the next outage has its own budget. */
const STABLE_MS = 10_000;

export interface FollowOptions {
  /** Start after this position: 0 sends the whole log first. Without it only what comes from now on. */
  readonly afterPosition?: number | undefined;
  readonly entityId?: string | undefined;
  /** Event types, exact or prefixes such as `order.*`, at most 100; none: all. */
  readonly eventTypes?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told before each wait for a stream that broke. */
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
  /** Told each time the stream is open. */
  readonly onOpen?: (() => void) | undefined;
}

/** Where to follow, and how long an outage is bridged. */
export interface FollowContext {
  readonly transport: Transport;
  readonly policy: RetryPolicy;
}

/** Yields events until the signal aborts or the consumer leaves the loop. Throws when the server refuses or stays away. */
export async function* followEvents(
  { transport, policy }: FollowContext,
  options: FollowOptions,
): AsyncGenerator<PositionedEvent, void, undefined> {
  const progress = new FollowProgress(options.afterPosition ?? null);
  let backoff: Backoff | null = null;
  let openedAtMs = Number.POSITIVE_INFINITY;
  const onOpen = () => {
    openedAtMs = performance.now();
    options.onOpen?.();
  };
  for (;;) {
    try {
      for await (const message of streamMessages(transport, { ...options, onOpen }, progress)) {
        backoff = null;
        const tailed = progress.take(message);
        if (tailed !== null && isMeant(tailed.event, options)) yield tailed;
      }
      throw unreachable('The event stream', new Error('it has ended'));
    } catch (error) {
      if (options.signal?.aborted === true) return;
      if (!(error instanceof AllSourceError) || !error.retryable) throw error;
      if (performance.now() - openedAtMs > STABLE_MS) backoff = null;
      openedAtMs = Number.POSITIVE_INFINITY;
      backoff ??= new Backoff(policy);
      const delayMs = backoff.nextDelayMs(error.retryAfterMs);
      if (delayMs === null) throw error;
      options.onRetry?.({ error, delayMs, failingForMs: backoff.failingForMs });
      if (!(await slept(delayMs, options.signal))) return;
    }
  }
}

function isMeant(event: StoredEvent, { entityId, eventTypes = [] }: FollowOptions): boolean {
  if (entityId !== undefined && event.entityId !== entityId) return false;
  return new TypeFilter(eventTypes).matches(event.eventType);
}

/** How far a tail has come. */
class FollowProgress {
  #position: number | null;

  constructor(afterPosition: number | null) {
    this.#position = afterPosition;
  }

  get lastEventId(): string | null {
    return this.#position === null ? null : String(this.#position);
  }

  /** The event of a message; null for one that carries none, or one that was delivered before. */
  take(message: StreamMessage): PositionedEvent | null {
    const position = /^\d{1,16}$/.test(message.id) ? Number(message.id) : null;
    if (message.data === null) {
      if (position !== null) this.#position = Math.max(this.#position ?? 0, position);
      return null;
    }
    // The server has dropped messages for a reader that was too slow; they are read again from the last position.
    if (message.event === 'lagged') throw unreachable('The event stream', new Error('it lagged'));
    if (message.event !== '' && message.event !== 'message') return null;
    if (position === null) throw badAnswer('an event of the stream has no position');
    if (this.#position !== null && position <= this.#position) return null;
    this.#position = position;
    return { position, event: parseStoredEvent(message.data) };
  }
}

async function* streamMessages(
  transport: Transport,
  options: FollowOptions,
  progress: FollowProgress,
): AsyncGenerator<StreamMessage, void, undefined> {
  const silence = new SilenceWatch(options.signal);
  try {
    const response = await transport.open(streamRequest(options, progress, silence.signal));
    options.onOpen?.();
    const parser = new EventStreamParser();
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      silence.heard();
      yield* parser.push(decoder.decode(chunk, { stream: true }));
      silence.heard();
    }
  } catch (error) {
    throw error instanceof AllSourceError || options.signal?.aborted === true
      ? error
      : unreachable('The event stream', error);
  } finally {
    silence.close();
  }
}

function streamRequest(options: FollowOptions, progress: FollowProgress, signal: AbortSignal) {
  const { lastEventId } = progress;
  return {
    method: 'GET' as const,
    path: PATH,
    query: { entity_id: options.entityId, event_type: options.eventTypes },
    headers: {
      accept: 'text/event-stream',
      ...(lastEventId === null ? {} : { 'last-event-id': lastEventId }),
    },
    signal,
  };
}

/** Aborts a stream on which nothing is heard. Also ends it when the consumer leaves. */
class SilenceWatch {
  readonly #linked: LinkedSignal;
  #timer: ReturnType<typeof setTimeout>;

  constructor(outer: AbortSignal | undefined) {
    this.#linked = new LinkedSignal([outer], null);
    this.#timer = this.#started();
  }

  get signal(): AbortSignal {
    return this.#linked.signal;
  }

  heard(): void {
    clearTimeout(this.#timer);
    this.#timer = this.#started();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#linked.release();
    this.#linked.abort();
  }

  #started(): ReturnType<typeof setTimeout> {
    const reason = new Error(`nothing was heard for ${SILENCE_MS_MAX} ms`);
    return setTimeout(() => this.#linked.abort(reason), SILENCE_MS_MAX);
  }
}

async function slept(delayMs: number, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await pause(delayMs, signal);
    return true;
  } catch (error) {
    if (signal?.aborted === true) return false;
    throw error;
  }
}
