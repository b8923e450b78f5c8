/**
 * Durable consumers: what they are is in the log (consumer-fold.ts), and every change is a system event of the tenant. The fold has taken a change
 * before its appender is answered, so whoever has been answered reads its own write. Reading never writes: a consumer that nobody wrote
 * about is answered as one without filters and progress.
 *
 * Acknowledgements that run side by side need no lock: each is appended if it lies beyond the cursor of that moment, and the fold
 * keeps the highest. A crash between the append and the answer leaves an acknowledgement that the client may repeat without effect.
 */
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import {
  consumerIdFault,
  type Position,
  POSITION_ZERO,
  position,
  positionAfter,
} from '@allsource/shared/model';
import type { SystemAppender } from '../append/append-port.ts';
import { type ReaderTexts, STORED_TEXTS } from '../feed/reader-texts.ts';
import type { DurableLog } from '../read/durable-log.ts';
import { framesOf } from '../storage/stretch.ts';
import { type Consumer, type ConsumerFold, unknownConsumer } from './consumer-fold.ts';
import { TenantMatcher } from '../read/tenant-matcher.ts';

export interface ConsumerServiceOptions {
  readonly fold: ConsumerFold;
  readonly appender: SystemAppender;
  readonly log: DurableLog;
}

/** An event for a consumer, printed: the event itself would keep its whole frame in memory. */
export interface PolledEvent {
  readonly position: Position;
  readonly json: string;
}

/** How many events, and in which form. */
export interface PollWish {
  readonly limit: number;
  readonly texts?: ReaderTexts;
}

export class ConsumerService {
  readonly #options: ConsumerServiceOptions;
  /**
   * Up to where the log holds no event for a consumer behind its cursor, so that polls of an idle consumer do not read it again. The
   * key is the fold's own object: a consumer that has changed is another object.
   */
  readonly #searchedThrough = new WeakMap<Consumer, Position>();

  constructor(options: ConsumerServiceOptions) {
    this.#options = options;
  }

  /** The consumer of this id, registered or not. Throws `invalid_consumer_id`. */
  get(tenant: string, id: string): Consumer {
    requireConsumerId(id);
    return this.#options.fold.find(tenant, id) ?? unknownConsumer(tenant, id);
  }

  /** Registers a consumer or sets the filters of one that exists; its cursor stays. Writes only what is new. */
  async register(tenant: string, id: string, filters: readonly string[]): Promise<Consumer> {
    requireConsumerId(id);
    const { fold, appender } = this.#options;
    const existing = fold.find(tenant, id);
    if (existing !== null && isSameList(existing.filter.patterns, filters)) return existing;
    const payload = { consumer_id: id, event_type_filters: filters };
    await appender.appendSystem(tenant, [
      { entity: `consumer:${id}`, event: { type: '_system.consumer.registered', payload } },
    ]);
    return this.get(tenant, id);
  }

  /**
   * Records that a consumer has dealt with everything up to `at`. At or below its cursor nothing happens. Throws
   * `position_beyond_head` for a position that no event has yet.
   */
  async acknowledge(tenant: string, id: string, at: number): Promise<Consumer> {
    const consumer = this.get(tenant, id);
    const { head } = this.#options.log;
    if (at > head) {
      throw problem(
        'position_beyond_head',
        `Position ${at} is beyond the latest event offset ${head}`,
        { position: at, head },
      );
    }
    if (at <= consumer.cursor) return consumer;
    const payload = { consumer_id: id, position: at };
    await this.#options.appender.appendSystem(tenant, [
      { entity: `consumer:${id}`, event: { type: '_system.consumer.acknowledged', payload } },
    ]);
    return this.get(tenant, id);
  }

  /**
   * The next events for a consumer behind its cursor, at most `limit` and about `LIMITS.pollCharactersMax` of text. The cursor
   * stays where it is.
   */
  async poll(
    tenant: string,
    id: string,
    { limit, texts = STORED_TEXTS }: PollWish,
  ): Promise<PolledEvent[]> {
    const consumer = this.get(tenant, id);
    const { log } = this.#options;
    const { head } = log;
    const searched = this.#searchedThrough.get(consumer) ?? POSITION_ZERO;
    const after = position(Math.max(consumer.cursor, searched));
    if (after >= head || limit === 0) return [];
    const events = await this.#collect(consumer, positionAfter(after, 1), { limit, texts });
    this.#searchedThrough.set(consumer, position((events[0]?.position ?? head + 1) - 1));
    return events;
  }

  async #collect(
    consumer: Consumer,
    from: Position,
    { limit, texts }: Required<PollWish>,
  ): Promise<PolledEvent[]> {
    const matcher = new TenantMatcher(consumer.tenant);
    const events: PolledEvent[] = [];
    let characters = 0;
    for await (const frame of framesOf(this.#options.log.read(from))) {
      if (!matcher.owns(frame)) continue;
      for (const event of frame.events()) {
        if (event.position < from || !consumer.filter.matches(event.type)) continue;
        const text = texts.positioned(event);
        const json = typeof text === 'string' ? text : await text;
        characters += json.length;
        if (events.length > 0 && characters > LIMITS.pollCharactersMax) return events;
        events.push({ position: event.position, json });
        if (events.length === limit) return events;
      }
    }
    return events;
  }
}

function requireConsumerId(id: string): void {
  const fault = consumerIdFault(id);
  if (fault !== null) throw problem('invalid_consumer_id', fault);
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}
