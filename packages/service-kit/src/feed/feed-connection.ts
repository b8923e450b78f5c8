/**
 * One connection to core's feed: the messages in the order in which core sent them, until it breaks.
 *
 * It reads ahead of its reader by a bounded number of bytes and then pauses the socket, so a slow sink slows core's feed and not
 * this process's memory. It ends by itself when core is silent: core sends a head notice each second, so seconds without a byte
 * mean that nobody is there, which TCP alone would not tell for minutes. Seconds in which the reader is the one that is late do not count.
 * A connection that has failed gives out first what came before the failure, then the failure.
 */
import type { ClientRequest, IncomingMessage } from 'node:http';
import { problem } from '@allsource/shared/errors';
import type { Position } from '@allsource/shared/model';
import { FEED_PATH, FeedDecoder, type FeedMessage } from '@allsource/shared/protocol';
import { type CoreEndpoint, coreRefused, coreUnreachable } from './core-endpoint.ts';
import { FOLLOWER_LIMITS } from './follower-limits.ts';
import type { FollowerTimers } from './follower-timers.ts';

export interface FeedRange {
  readonly from: Position;
  /** Core ends the feed there; without it the feed stays open. */
  readonly to?: Position | undefined;
  readonly only?: 'system' | undefined;
}

export type FeedDelivery =
  /** What has come since the last time; empty after `wake`. */
  | { readonly kind: 'messages'; readonly messages: readonly FeedMessage[] }
  /** Core has sent the whole range. */
  | { readonly kind: 'end' };

export class FeedConnection {
  readonly #path: string;
  readonly #timers: FollowerTimers;
  readonly #request: ClientRequest;
  readonly #decoder = new FeedDecoder();
  #response: IncomingMessage | null = null;
  #messages: FeedMessage[] = [];
  #waitingBytes = 0;
  #end: 'open' | 'whole' | Error = 'open';
  #silentSeconds = 0;
  #cancelTick: () => void = () => {};
  #wakeReader: (() => void) | null = null;
  #isWoken = false;

  constructor(endpoint: CoreEndpoint, range: FeedRange, timers: FollowerTimers) {
    this.#path = feedPath(range);
    this.#timers = timers;
    this.#request = endpoint.get(this.#path);
    this.#request.on('error', (error) => this.#fail(coreUnreachable(this.#path, error)));
    this.#request.once('response', (response) => void this.#receive(response));
    this.#tick();
  }

  /** Waits for messages, the end or `wake`. Throws why the connection is of no use any more. One call at a time. */
  async next(): Promise<FeedDelivery> {
    while (this.#messages.length === 0 && this.#end === 'open' && !this.#isWoken) {
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
    }
    this.#isWoken = false;
    if (this.#messages.length === 0 && this.#end !== 'open') {
      if (this.#end === 'whole') return { kind: 'end' };
      throw this.#end;
    }
    const messages = this.#messages;
    this.#messages = [];
    this.#waitingBytes = 0;
    this.#response?.resume();
    return { kind: 'messages', messages };
  }

  /** Lets `next` return at once, with what there is. */
  wake(): void {
    this.#isWoken = true;
    this.#notify();
  }

  close(): void {
    this.#fail(problem('upstream_unavailable', 'The connection to the feed was closed.'));
  }

  async #receive(response: IncomingMessage): Promise<void> {
    this.#response = response;
    if (response.statusCode !== 200) {
      const refused = coreRefused(this.#path, response);
      this.#fail(await refused.catch((error: Error) => coreUnreachable(this.#path, error)));
      return;
    }
    response.on('data', (chunk: Buffer) => this.#take(chunk));
    response.on('error', (error) => this.#fail(coreUnreachable(this.#path, error)));
    response.once('close', () => {
      if (response.complete) this.#finish('whole');
      else this.#fail(problem('upstream_unavailable', 'Core closed the feed.'));
    });
  }

  #take(chunk: Buffer): void {
    this.#silentSeconds = 0;
    if (this.#end !== 'open') return;
    try {
      for (const message of this.#decoder.push(chunk)) {
        this.#messages.push(message);
        if (message.kind === 'frame') this.#waitingBytes += message.frame.bytes.length;
      }
    } catch (error) {
      this.#fail(error instanceof Error ? error : new TypeError(String(error)));
      return;
    }
    if (this.#waitingBytes >= FOLLOWER_LIMITS.readAheadBytesMax) this.#response?.pause();
    if (this.#messages.length > 0) this.#notify();
  }

  #tick(): void {
    this.#cancelTick = this.#timers.after(1_000, () => {
      this.#silentSeconds = this.#response?.isPaused() === true ? 0 : this.#silentSeconds + 1;
      if (this.#silentSeconds < FOLLOWER_LIMITS.silentSecondsMax) return this.#tick();
      this.#fail(
        problem('upstream_unavailable', `Core's feed was silent for ${this.#silentSeconds} s.`),
      );
    });
  }

  #fail(error: Error): void {
    this.#finish(error);
    this.#request.destroy();
  }

  #finish(end: 'whole' | Error): void {
    if (this.#end === 'open') this.#end = end;
    this.#cancelTick();
    this.#notify();
  }

  #notify(): void {
    this.#wakeReader?.();
    this.#wakeReader = null;
  }
}

function feedPath({ from, to, only }: FeedRange): string {
  const query = new URLSearchParams({ from: String(from) });
  if (to !== undefined) query.set('to', String(to));
  if (only !== undefined) query.set('only', only);
  return `${FEED_PATH}?${query.toString()}`;
}
