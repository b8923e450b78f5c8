import { type AnyEvents, type EventOf, type EventParser, typed } from '../events/event-map.ts';
import { type ClientOptions, Connection } from '../http/connection.ts';
import type { StreamItem } from './stream-item.ts';
import { type SubscribeOptions, Subscription } from './subscription.ts';

export interface EventStreamOptions<Events extends object = AnyEvents> extends ClientOptions {
  /** Checks the events that come; see {@link EventParser}. */
  readonly parseEvent?: EventParser<Events> | undefined;
  /** How many messages wait here for a slow reader before the store is held back; 10,000 without it. */
  readonly queueMessagesMax?: number | undefined;
}

/**
 * Follows the store over a WebSocket. The url is core's or the gateway's.
 *
 * @example
 * ```ts
 * await using stream = new EventStreamClient({ url: 'http://127.0.0.1:3902', apiKey: 'your-api-key' });
 * for await (const item of stream.subscribe({ consumerId: 'mailer', eventTypes: ['order.*'] })) {
 *   if (item.kind !== 'event') continue;
 *   console.log(item.event.eventType);
 *   if (item.position !== null) await core.ackConsumer('mailer', item.position);
 * }
 * ```
 */
export class EventStreamClient<Events extends object = AnyEvents> {
  readonly #connection: Connection;
  readonly #options: EventStreamOptions<Events>;
  readonly #closing = new AbortController();

  constructor(options: EventStreamOptions<Events>) {
    // The stream itself tries again, for as long as it takes.
    this.#connection = new Connection({ ...options, retry: false, breaker: false });
    this.#options = options;
  }

  /**
   * Delivers events until the signal aborts or the loop is left. Ends by throwing when the store refuses: `UnauthenticatedError`, `ForbiddenError`,
   * `InvalidRequestError`.
   *
   * @example
   * ```ts
   * for await (const item of stream.subscribe({ eventTypes: ['order.*'] })) {
   *   if (item.kind === 'event') console.log(item.event.eventType, item.event.payload);
   *   else if (item.kind === 'lagged') console.log('missed some');
   * }
   * ```
   */
  async *subscribe(
    options: SubscribeOptions = {},
  ): AsyncGenerator<StreamItem<EventOf<Events>>, void, undefined> {
    const signals = [
      this.#closing.signal,
      ...(options.signal === undefined ? [] : [options.signal]),
    ];
    const signal = AbortSignal.any(signals);
    const subscription = new Subscription(this.#connection, this.#options, { ...options, signal });
    for await (const item of subscription.items()) {
      yield item.kind === 'event'
        ? { ...item, event: typed<Events>(item.event, this.#options.parseEvent) }
        : item;
    }
  }

  /**
   * Ends all subscriptions. `await using` does it at the end of a block.
   *
   * @example
   * ```ts
   * stream.close();
   * ```
   */
  close(): void {
    this.#closing.abort();
    this.#connection.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
