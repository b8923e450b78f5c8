/**
 * Reads the log from NATS as it is published, and from core whatever does not come that way.
 *
 * NATS may be down, silent, restarted empty, or deliver frames late, twice, in any order, from another log, or damaged. None of it can
 * lose, repeat or reorder anything: a frame from NATS is applied only if it joins on to what the sink holds (position, log id
 * and the checksum of the frame before), and everything else a message says is a doorbell, a reason to ask core. Core's head is asked for
 *     - at the start and after each (re)connection to NATS,
 *     - when a frame or head notice shows that something is missing and it has not come within a few milliseconds,
 *     - when a reader waits for a head that is not there yet, in the same way,
 *     - each second in any case, which covers a NATS that says nothing.
 * What lies between the sink and that head is then read from core's feed. Only core's word empties a sink.
 *
 * Memory is bounded: frames that wait for an earlier one are let go when there are too many, and read from core.
 */
import type { Position } from '@allsource/shared/model';
import {
  COMMITS_SUBJECT,
  decodeSingleFeedMessage,
  FeedDamagedError,
  type FeedMessage,
} from '@allsource/shared/protocol';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { Logger } from '../observability/logger.ts';
import { Alarm } from './alarm.ts';
import type { CoreReader } from './core-reader.ts';
import { FOLLOWER_LIMITS } from './follower-limits.ts';
import type { FollowerTimers } from './follower-timers.ts';
import { FrameInbox } from './frame-inbox.ts';
import type { LogReader } from './log-reader.ts';
import { NatsLink } from './nats-link.ts';
import type { SinkWriter } from './sink-writer.ts';
import { WakeUp } from './wake-up.ts';

export interface NatsReaderOptions {
  readonly natsUrl: string;
  readonly core: CoreReader;
  readonly writer: SinkWriter;
  readonly timers: FollowerTimers;
  readonly logger: Logger;
}

export class NatsReader implements LogReader {
  readonly #options: NatsReaderOptions;
  readonly #link: NatsLink;
  readonly #inbox = new FrameInbox();
  readonly #wakeUp: WakeUp;
  /** Something that is known to exist has not come. */
  readonly #late: Alarm;
  /** Core has not been asked for a while. */
  readonly #check: Alarm;
  #isRung = false;
  #wanted = 0;
  #isClosed = false;

  constructor(options: NatsReaderOptions) {
    const { timers, natsUrl, logger } = options;
    this.#options = options;
    this.#wakeUp = new WakeUp(timers);
    this.#late = new Alarm(timers, () => this.#wakeUp.notify());
    this.#check = new Alarm(timers, () => this.#wakeUp.notify());
    this.#link = new NatsLink({
      natsUrl,
      name: 'allsource follower',
      logger,
      timers,
      onConnected: (connection) => this.#subscribe(connection),
    });
  }

  /** Follows NATS and core until `close`. Throws when core or the sink fails. */
  async follow(): Promise<void> {
    this.#link.start();
    this.#options.writer.resume();
    await this.#readFromCore();
    while (!this.#isClosed) {
      if (await this.#takeFromInbox()) this.#late.disarm();
      if (this.#isSomethingMissing()) this.#late.arm(FOLLOWER_LIMITS.lateFrameMs);
      else this.#late.disarm();
      if (this.#late.isDue || this.#check.isDue) await this.#readFromCore();
      else await this.#wakeUp.wait(FOLLOWER_LIMITS.headCheckMs);
    }
  }

  nudge(target: Position): void {
    this.#wanted = Math.max(this.#wanted, target);
    this.#wakeUp.notify();
  }

  recheck(): void {
    this.#ring();
    this.#options.core.recheck();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wakeUp.notify();
    this.#late.disarm();
    this.#check.disarm();
    await this.#options.core.close();
    await this.#link.close();
  }

  #subscribe(connection: NatsConnection): void {
    connection.subscribe(COMMITS_SUBJECT, {
      callback: (error, message) => {
        if (error === null) return this.#receive(message);
        this.#options.logger.warn({ err: error }, 'NATS ends the subscription to the frames');
        this.#ring();
      },
    });
    // What was published before the server knew of the subscription has not come: ask core once it does.
    connection.flush().then(
      () => this.#ring(),
      () => this.#ring(),
    );
  }

  /** Runs inside of the NATS client, which must not see an exception. */
  #receive(message: Msg): void {
    const { writer, logger } = this.#options;
    const received = decode(message.data);
    if (received === null) {
      logger.debug({ bytes: message.data.length }, 'passed over a NATS message that is no frame');
      return;
    }
    if (received.kind === 'head') {
      if (received.head > writer.appliedPosition) this.#ring();
      return;
    }
    const { frame } = received;
    const isOurs = writer.logId === null || writer.logId === frame.logId.toString('hex');
    if (isOurs && frame.position <= writer.appliedPosition) return;
    if (isOurs && this.#inbox.put(frame)) this.#wakeUp.notify();
    else this.#ring();
  }

  #ring(): void {
    this.#isRung = true;
    this.#wakeUp.notify();
  }

  #isSomethingMissing(): boolean {
    return (
      this.#isRung || this.#wanted > this.#options.writer.appliedPosition || !this.#inbox.isEmpty
    );
  }

  /** Applies what joins on. Returns whether there was anything. */
  async #takeFromInbox(): Promise<boolean> {
    const { writer } = this.#options;
    if (!writer.isSeamKnown) return false;
    const run = this.#inbox.takeAfter(writer.appliedPosition);
    if (run.length === 0) return false;
    const outcome = await writer.take(run);
    if (outcome.kind === 'taken') return true;
    this.#inbox.clear();
    this.#isRung = true;
    return false;
  }

  async #readFromCore(): Promise<void> {
    const { core, writer } = this.#options;
    this.#late.disarm();
    this.#check.disarm();
    this.#isRung = false;
    const mark = this.#inbox.arrivalCount;
    const { head } = await core.agree();
    this.#wanted = 0;
    this.#inbox.dropBeyond(head, mark);
    await core.readTo(head);
    this.#inbox.dropThrough(writer.appliedPosition);
    if (!this.#isClosed) this.#check.arm(FOLLOWER_LIMITS.headCheckMs);
  }
}

function decode(bytes: Uint8Array): FeedMessage | null {
  try {
    return decodeSingleFeedMessage(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length));
  } catch (error) {
    if (error instanceof FeedDamagedError) return null;
    throw error;
  }
}
