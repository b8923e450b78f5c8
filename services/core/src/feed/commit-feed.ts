/**
 * Core's feed to the other services: the log as messages (shared/protocol/feed.ts), history first, then what becomes durable, without a gap or
 * a repeat at the seam (read/log-tail.ts sees to that). A reader that is slow is waited for, and costs the tail's small queue. Frames at hand leave together.
 *
 * A head notice says: everything up to here that this feed is about has been sent. So it is sent only when the reader has all there is:
 * once as soon as it has caught up, then after a second of silence, and soon after a stretch that the filter passed over, so that a filtered
 * reader's position keeps up with the log. While a long stretch is being passed over, notices say each second how far the feed has come: a reader that
 * heard nothing would take the connection for dead, begin again from the same place, and never get through. A reader that asks for a position beyond the head is told the head at once and finds out
 * that it follows another log than it did.
 *
 * A feed of system events reads only the stretches of the log that have some (system-stretches.ts).
 */
import { type Position, position, positionAfter } from '@allsource/shared/model';
import { encodeHeadNotice, type Frame } from '@allsource/shared/protocol';
import type { DurableLog } from '../read/durable-log.ts';
import { LogTail } from '../read/log-tail.ts';
import { AdjoiningBytes } from './adjoining-bytes.ts';
import type { SystemStretches } from './system-stretches.ts';

/** Time without a message after which the reader is told the head. */
export const IDLE_NOTICE_MS = 1_000;
/** Time over which filtered frames are gathered into one notice. */
const FILTERED_NOTICE_MS = 20;

export interface FeedRequest {
  /** The first position wanted, at least 1. */
  readonly from: Position;
  /** The last position wanted; null = follow. With it the feed ends there, or at the head if that comes first. */
  readonly to: Position | null;
  readonly onlySystem: boolean;
}

/** Where a feed goes. `write` resolves when more may be written, with false when nobody reads any more. */
export interface FeedReader {
  write(bytes: Buffer): Promise<boolean>;
}

export interface CommitFeedOptions {
  readonly idleNoticeMs?: number;
  /** Where system events lie, as far as the log's head; without it a feed of system events reads everything. */
  readonly systemStretches?: Pick<SystemStretches, 'next'>;
}

/** All feeds of one core. */
export class CommitFeed {
  readonly #log: DurableLog;
  readonly #idleNoticeMs: number;
  readonly #systemStretches: Pick<SystemStretches, 'next'> | null;
  readonly #open = new Set<LogTail>();
  #isClosed = false;

  constructor(log: DurableLog, options: CommitFeedOptions = {}) {
    this.#log = log;
    this.#idleNoticeMs = options.idleNoticeMs ?? IDLE_NOTICE_MS;
    this.#systemStretches = options.systemStretches ?? null;
  }

  /** The number of feeds under way. */
  get readerCount(): number {
    return this.#open.size;
  }

  /** Sends a feed. Resolves when it has ended: at `to`, when the reader has gone (`isGone`), or when the feed is closed. */
  async send(request: FeedRequest, reader: FeedReader, gone: AbortSignal): Promise<void> {
    if (this.#isClosed || gone.aborted) return;
    const tail = new LogTail({ log: this.#log, from: request.from });
    this.#open.add(tail);
    const stop = () => void tail.close();
    gone.addEventListener('abort', stop);
    try {
      const idleNoticeMs = this.#idleNoticeMs;
      const stretches = request.onlySystem ? this.#systemStretches : null;
      await new Feed({ log: this.#log, tail, request, reader, idleNoticeMs, stretches }).run();
    } finally {
      gone.removeEventListener('abort', stop);
      this.#open.delete(tail);
      await tail.close();
    }
  }

  /** Ends all feeds; each reader gets what was written so far and the end of its answer. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#open].map((tail) => tail.close()));
  }
}

interface FeedOptions {
  readonly log: DurableLog;
  readonly tail: LogTail;
  readonly request: FeedRequest;
  readonly reader: FeedReader;
  readonly idleNoticeMs: number;
  /** Where all lies that this feed is about; null: anywhere. */
  readonly stretches: Pick<SystemStretches, 'next'> | null;
}

class Feed {
  readonly #options: FeedOptions;
  #noticeDueAt = 0;
  #noticedAt = 0;
  #wroteAt = performance.now();
  readonly #taken = new AdjoiningBytes();

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  async run(): Promise<void> {
    const { tail, request } = this.#options;
    while (!this.#isComplete()) {
      if (await this.#passOver()) continue;
      let frame = await tail.next(this.#waitMs());
      if (tail.isClosed) return;
      for (; frame !== null; frame = this.#isComplete() ? null : tail.nextAtHand())
        this.#take(frame);
      if (!(await this.#sendTaken())) return;
      if (this.#isNoticeDue() && !(await this.#sendNotice())) return;
    }
    if (request.to !== null && tail.isAtHead) await this.#sendNotice();
  }

  /** Leaves out what this feed is not about; true when it has. */
  async #passOver(): Promise<boolean> {
    const { log, tail, stretches } = this.#options;
    if (stretches === null || tail.isAtHead || tail.isClosed) return false;
    const wanted = positionAfter(tail.position, 1);
    const next = stretches.next(wanted) ?? positionAfter(log.head, 1);
    if (next === wanted) return false;
    await tail.passOver(next);
    this.#hasPassedOver();
    return true;
  }

  #isComplete(): boolean {
    const { tail, request } = this.#options;
    return request.to !== null && (tail.position >= request.to || tail.isAtHead);
  }

  /** A feed with an end says how far it has come when it is there, and before that only to be heard. */
  #isNoticeDue(): boolean {
    const { tail, request } = this.#options;
    const now = performance.now();
    if (request.to === null && tail.isAtHead) return now >= this.#noticeDueAt;
    return now >= this.#wroteAt + this.#options.idleNoticeMs;
  }

  #waitMs(): number {
    return Math.max(0, this.#noticeDueAt - performance.now());
  }

  #take(frame: Frame): void {
    if (!this.#options.request.onlySystem || frame.isSystem) this.#taken.add(frame.bytes);
    else this.#hasPassedOver();
  }

  #hasPassedOver(): void {
    this.#noticeDueAt = Math.min(this.#noticeDueAt, this.#noticedAt + FILTERED_NOTICE_MS);
  }

  async #sendTaken(): Promise<boolean> {
    for (const bytes of this.#taken.takeAll()) {
      this.#wroteAt = performance.now();
      if (!(await this.#options.reader.write(bytes))) return false;
    }
    return true;
  }

  #sendNotice(): Promise<boolean> {
    const { log, reader, tail, idleNoticeMs } = this.#options;
    this.#noticedAt = performance.now();
    this.#wroteAt = this.#noticedAt;
    this.#noticeDueAt = this.#noticedAt + idleNoticeMs;
    const reached = position(Math.min(tail.position, log.head));
    return reader.write(encodeHeadNotice(reached, log.logId));
  }
}
