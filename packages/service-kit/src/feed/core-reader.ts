/**
 * Reads core's log over HTTP into a sink: the open feed that follows the log, and bounded ranges that fill a gap.
 *
 * The log is the truth. Before it reads, the reader agrees with core on which log that is and how far it reaches: a sink that was filled from
 * another log, or that stands beyond core's head (core was restored from an older backup), is emptied and filled from position 1. The
 * same happens when core's own frames do not join on to what the sink holds. Only core's word empties a sink, never a message
 * from NATS. "Beyond the head" is judged by what the sink had applied when the question left, so an answer that was overtaken by newer frames is no reason.
 *
 * Every method fails by throwing, and whoever runs the reader tries again later from the sink's own position.
 */
import { problem } from '@allsource/shared/errors';
import type { Position } from '@allsource/shared/model';
import type { FeedMessage } from '@allsource/shared/protocol';
import type { Logger } from '../observability/logger.ts';
import type { CoreEndpoint } from './core-endpoint.ts';
import { FeedConnection, type FeedRange } from './feed-connection.ts';
import { FOLLOWER_LIMITS } from './follower-limits.ts';
import type { FollowerTimers } from './follower-timers.ts';
import type { LogReader } from './log-reader.ts';
import type { CoreHead, SharedHead } from './shared-head.ts';
import type { SinkWriter, TakeOutcome } from './sink-writer.ts';

export interface CoreReaderOptions {
  readonly endpoint: CoreEndpoint;
  readonly heads: SharedHead;
  readonly writer: SinkWriter;
  readonly only: 'system' | undefined;
  readonly timers: FollowerTimers;
  readonly logger: Logger;
  /** Called with each head that core names when it is asked. */
  readonly onHead: (head: Position) => void;
  /** Called with each head notice of the feed: how far core had got with this feed, at most its head. */
  readonly onNotice: (head: Position) => void;
}

export class CoreReader implements LogReader {
  readonly #options: CoreReaderOptions;
  readonly #connections = new Set<FeedConnection>();
  #wanted = 0;
  #cancelNudge: () => void = () => {};

  constructor(options: CoreReaderOptions) {
    this.#options = options;
  }

  /** Follows the open feed from where the sink stands. Never resolves; throws when the feed breaks. */
  async follow(): Promise<void> {
    const { writer, only } = this.#options;
    writer.resume();
    await this.agree();
    const connection = this.#open({ from: writer.readFrom, only });
    try {
      for (;;) {
        const delivery = await connection.next();
        if (delivery.kind === 'end') throw problem('upstream_unavailable', 'Core ended the feed.');
        await this.#take(delivery.messages);
        // Live, a filtered feed moves over foreign events once a second; somebody who waits is served by a range.
        if (only !== undefined && this.#isNudgeDue()) await this.readTo((await this.agree()).head);
      }
    } finally {
      this.#close(connection);
    }
  }

  /** Asks core for its log and head, and empties the sink when it holds something else. */
  async agree(): Promise<CoreHead> {
    const core = await this.#options.heads.ask();
    const reason = disagreement(core, this.#options.writer);
    if (reason !== null) await this.#reset(reason);
    this.#options.onHead(core.head);
    return core;
  }

  /** Reads everything up to `head`, which core has named as its head. */
  async readTo(head: Position): Promise<void> {
    const { writer, only } = this.#options;
    if (writer.readFrom > head) return;
    const connection = this.#open({ from: writer.readFrom, to: head, only });
    try {
      for (;;) {
        const delivery = await connection.next();
        if (delivery.kind === 'end') break;
        await this.#take(delivery.messages);
      }
    } finally {
      this.#close(connection);
    }
    const { logId } = writer;
    if (only !== undefined && logId !== null) await writer.advance(head, logId);
    if (only === undefined && writer.appliedPosition < head) {
      throw problem(
        'upstream_unavailable',
        `Core's feed up to ${head} ended at ${writer.appliedPosition}.`,
      );
    }
  }

  nudge(target: Position): void {
    this.#wanted = Math.max(this.#wanted, target);
    this.#cancelNudge();
    this.#cancelNudge = this.#options.timers.after(FOLLOWER_LIMITS.lateFrameMs, () => {
      for (const connection of this.#connections) connection.wake();
    });
  }

  recheck(): void {
    for (const connection of this.#connections) connection.close();
  }

  close(): Promise<void> {
    this.#cancelNudge();
    this.recheck();
    return Promise.resolve();
  }

  #open(range: FeedRange): FeedConnection {
    const connection = new FeedConnection(this.#options.endpoint, range, this.#options.timers);
    this.#connections.add(connection);
    return connection;
  }

  #close(connection: FeedConnection): void {
    this.#connections.delete(connection);
    connection.close();
  }

  #isNudgeDue(): boolean {
    const isDue = this.#wanted > this.#options.writer.appliedPosition;
    if (!isDue) this.#wanted = 0;
    return isDue;
  }

  async #take(messages: readonly FeedMessage[]): Promise<void> {
    const { writer, onNotice } = this.#options;
    for (const message of messages) {
      if (message.kind !== 'head') continue;
      const logId = message.logId.toString('hex');
      if (writer.logId !== null && writer.logId !== logId)
        throw problem('upstream_unavailable', `Core's feed changed to log ${logId}.`);
      onNotice(message.head);
    }
    await this.#settle(await writer.take(messages));
  }

  async #settle(outcome: TakeOutcome): Promise<void> {
    const { writer } = this.#options;
    switch (outcome.kind) {
      case 'taken':
        return;
      case 'gap':
        throw problem(
          'upstream_unavailable',
          `Core's feed went on at ${outcome.position} where ${writer.readFrom} was next.`,
        );
      case 'foreign':
        await this.#reset(outcome.reason);
        throw problem(
          'upstream_unavailable',
          `Core's log does not join on to the read store: ${outcome.reason}.`,
        );
    }
  }

  async #reset(reason: string): Promise<void> {
    const { writer, logger } = this.#options;
    logger.warn(
      { reason, appliedPosition: writer.appliedPosition },
      'the read store holds another log than core: it is emptied and filled again',
    );
    await writer.reset();
  }
}

/** Why a sink cannot hold the beginning of core's log, or null. */
export function disagreement(core: CoreHead, writer: SinkWriter): string | null {
  if (writer.logId !== null && writer.logId !== core.logId)
    return `core's log is ${core.logId}, the read store was filled from ${writer.logId}`;
  if (core.head < core.appliedWhenAsked)
    return `core's head is ${core.head}, the read store has applied ${core.appliedWhenAsked}`;
  return null;
}
