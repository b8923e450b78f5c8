/**
 * Follows core's log into a sink, for as long as the process runs.
 *
 * Promise: the sink sees every frame of the log (or, filtered, every system frame) exactly once and in position order, whatever happens to
 * connections, to NATS, to core or to this process. One loop is the only writer of the sink; it takes frames from a reader (the
 * feed alone, or NATS with the feed behind it) and starts over from the sink's own position when the reader or the sink fails, after
 * 100 ms to 5 s. See sink-writer.ts for the argument, core-reader.ts for when a sink is emptied, nats-reader.ts for NATS.
 *
 * A sink that throws is tried again with the same frames until it takes them; the fault stands in the status and in the log. Nothing is skipped: a read store that
 * stands still and says so is better than one with a hole.
 *
 * A filtered follower uses the feed even where NATS is configured: NATS carries every tenant's events, and a filtered reader must not see them.
 */
import { problem } from '@allsource/shared/errors';
import { POSITION_ZERO, type Position, position } from '@allsource/shared/model';
import type { Logger } from '../observability/logger.ts';
import { CoreEndpoint } from './core-endpoint.ts';
import { CoreReader, disagreement } from './core-reader.ts';
import { FOLLOWER_LIMITS } from './follower-limits.ts';
import { type FollowerTimers, RetryDelay, systemTimers } from './follower-timers.ts';
import type { FrameSink } from './frame-sink.ts';
import { HeadLine } from './head-line.ts';
import type { FollowerStatus, LogFollower } from './log-follower.ts';
import type { LogReader } from './log-reader.ts';
import { NatsReader } from './nats-reader.ts';
import { PositionWaiters } from './position-waiters.ts';
import { PostedHead } from './posted-head.ts';
import { SharedHead } from './shared-head.ts';
import { SinkWriter } from './sink-writer.ts';
import { WakeUp } from './wake-up.ts';

export interface LogFollowerOptions {
  readonly coreUrl: string;
  readonly internalToken: string;
  readonly sink: FrameSink;
  /** Only system frames. Without it everything. */
  readonly only?: 'system' | undefined;
  /** Where frames are heard of first; null or left out: the feed alone. */
  readonly natsUrl?: string | null | undefined;
  readonly logger: Logger;
  readonly timers?: FollowerTimers;
}

/** Creates a follower; `start` sets it going. The caller closes it before it closes the sink. */
export function createLogFollower(options: LogFollowerOptions): LogFollower {
  return new Follower(options);
}

class Follower implements LogFollower {
  readonly #sink: FrameSink;
  readonly #logger: Logger;
  readonly #endpoint: CoreEndpoint;
  readonly #line: HeadLine | null;
  readonly #posted = new PostedHead();
  readonly #heads: SharedHead;
  readonly #writer: SinkWriter;
  readonly #reader: LogReader;
  readonly #waiters: PositionWaiters;
  readonly #retry: RetryDelay;
  readonly #wakeUp: WakeUp;
  #running: Promise<void> | null = null;
  #isClosed = false;
  #knownHead: Position | null = null;
  #hasCaughtUp = false;
  #fault: string | null = null;

  constructor(options: LogFollowerOptions) {
    const { sink, logger, only, timers = systemTimers } = options;
    this.#sink = sink;
    this.#logger = logger;
    this.#endpoint = new CoreEndpoint(options);
    const appliedPosition = () => sink.appliedPosition;
    this.#line = HeadLine.to(options);
    this.#heads = new SharedHead({
      endpoint: this.#endpoint,
      line: this.#line,
      posted: this.#posted,
      timers,
      appliedPosition,
    });
    this.#waiters = new PositionWaiters(timers);
    this.#wakeUp = new WakeUp(timers);
    this.#retry = new RetryDelay(timers, {
      delayMsMin: FOLLOWER_LIMITS.retryDelayMsMin,
      delayMsMax: FOLLOWER_LIMITS.retryDelayMsMax,
    });
    this.#writer = new SinkWriter({
      sink,
      isFiltered: only !== undefined,
      onApplied: (applied) => this.#noteApplied(applied),
    });
    this.#reader = this.#createReader(options, timers);
  }

  start(): void {
    if (!this.#isClosed) this.#running ??= this.#run();
  }

  get status(): FollowerStatus {
    const appliedPosition = this.#sink.appliedPosition;
    const knownHead = this.#knownHead ?? POSITION_ZERO;
    return {
      hasCaughtUp: this.#hasCaughtUp,
      appliedPosition,
      knownHead: position(Math.max(knownHead, appliedPosition)),
      fault: this.#fault,
    };
  }

  async coreHead(): Promise<Position> {
    const core = await this.#heads.latest();
    const reason = disagreement(core, this.#writer);
    if (reason !== null) {
      this.#reader.recheck();
      throw problem(
        'upstream_unavailable',
        `The read store must be filled again: ${reason}. Try again shortly.`,
      );
    }
    this.#noteHead(core.head);
    if (core.head > this.#sink.appliedPosition) this.#reader.nudge(core.head);
    return core.head;
  }

  waitFor(target: Position, timeoutMs: number): Promise<boolean> {
    if (this.#sink.appliedPosition >= target) return Promise.resolve(true);
    if (this.#isClosed) return Promise.resolve(false);
    return this.#waiters.wait(target, timeoutMs);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#wakeUp.notify();
    this.#line?.close();
    this.#posted.close();
    this.#endpoint.close();
    this.#waiters.close();
    await this.#reader.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      try {
        await this.#reader.follow();
      } catch (error) {
        if (this.#isClosed) return;
        this.#noteFault(error);
        await this.#wakeUp.wait(this.#retry.next());
      }
    }
  }

  #createReader(options: LogFollowerOptions, timers: FollowerTimers): LogReader {
    const { natsUrl = null, only, logger } = options;
    const writer = this.#writer;
    const core = new CoreReader({
      endpoint: this.#endpoint,
      heads: this.#heads,
      writer,
      only,
      timers,
      logger,
      onHead: (head) => this.#noteHead(head),
      onNotice: (head) => this.#noteHead(position(Math.max(head, this.#knownHead ?? 0))),
    });
    if (natsUrl === null || only !== undefined) return core;
    return new NatsReader({ natsUrl, core, writer, timers, logger });
  }

  #noteApplied(applied: Position): void {
    this.#waiters.reached(applied);
    this.#noteProgress();
  }

  #noteHead(head: Position): void {
    this.#knownHead = head;
    if (this.#sink.appliedPosition >= head) this.#noteProgress();
  }

  #noteProgress(): void {
    this.#retry.reset();
    if (this.#fault !== null) this.#logger.info('the log is followed again');
    this.#fault = null;
    if (this.#knownHead !== null && this.#sink.appliedPosition >= this.#knownHead)
      this.#hasCaughtUp = true;
  }

  #noteFault(error: unknown): void {
    const fault = error instanceof Error ? error.message : String(error);
    if (fault !== this.#fault) this.#logger.warn({ err: error }, 'the log is not followed');
    this.#fault = fault;
  }
}
