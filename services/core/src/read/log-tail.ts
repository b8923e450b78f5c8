/**
 * One reader's way through the log: what is already there, then what comes, as one sequence of frames in position order without a gap or
 * a repeat at the seam.
 *
 * It listens to the log before it reads history, and keeps what it hears in a small queue. A frame is taken from the queue only when the queue begins
 * at or before the next position wanted; otherwise it is read from the log. So the queue is a shortcut and never the truth: when it grows
 * over its limit, because the reader is slow or history is long, it is emptied and the reader reads on from the log. A slow reader therefore costs at
 * most `queueBytesMax`, and it loses nothing.
 *
 * One caller at a time: `next`, `nextAtHand` and `passOver` are called after the one before has resolved. `close` may come at any time and ends a waiting `next`.
 */
import { assert } from '@allsource/shared/lang';
import { type Position, position, positionAfter } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { Stretch } from '../storage/stretch.ts';
import type { DurableLog } from './durable-log.ts';

const QUEUE_BYTES_MAX_DEFAULT = 1024 * 1024;

export interface LogTailOptions {
  readonly log: DurableLog;
  /** The first position wanted, at least 1. The first frame is the one that holds it. */
  readonly from: Position;
  /** Bytes of frames kept while the reader is busy. One frame is kept whatever its size. */
  readonly queueBytesMax?: number;
}

export class LogTail {
  readonly #log: DurableLog;
  readonly #queueBytesMax: number;
  readonly #unsubscribe: () => void;
  #queue: Frame[] = [];
  #queueBytes = 0;
  #history: AsyncIterator<Stretch> | null = null;
  /** The frames of history at hand, and how many of them were handed out. */
  #stretch: Stretch = [];
  #handedOut = 0;
  #wanted: Position;
  #wake: (() => void) | null = null;
  #isClosed = false;
  #isReading = false;

  constructor(options: LogTailOptions) {
    assert(options.from >= 1, 'positions begin at 1');
    this.#log = options.log;
    this.#wanted = options.from;
    this.#queueBytesMax = options.queueBytesMax ?? QUEUE_BYTES_MAX_DEFAULT;
    this.#unsubscribe = options.log.subscribe((frame) => this.#hear(frame));
  }

  /** Everything up to here was handed out (or lies before the beginning). */
  get position(): Position {
    return position(this.#wanted - 1);
  }

  /** True when the log holds nothing more at this moment. */
  get isAtHead(): boolean {
    return this.#wanted > this.#log.head;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * The next frame. At the head it waits for one, at most `waitMs`, and resolves with null when none came in that time or the tail was
   * closed. Rejects with the log's own problem when a part of the log cannot be read.
   */
  async next(waitMs = Number.POSITIVE_INFINITY): Promise<Frame | null> {
    assert(!this.#isReading, 'one reader at a time');
    this.#isReading = true;
    try {
      return await this.#next(waitMs);
    } finally {
      this.#isReading = false;
    }
  }

  /** The next frame when it is at hand without waiting; null when it is not, which does not mean that there is none. */
  nextAtHand(): Frame | null {
    assert(!this.#isReading, 'one reader at a time');
    if (this.#isClosed) return null;
    // While history is read, only `next` may go over to the queue: it lets go of the iterator that the queue overtakes.
    return this.#passed(this.#history === null ? this.#takeQueued() : this.#takeRead());
  }

  /** Goes on at `next`, which lies ahead: what is before it is not handed out. */
  async passOver(next: Position): Promise<void> {
    assert(!this.#isReading, 'one reader at a time');
    assert(next > this.#wanted, 'a tail only goes forward');
    this.#wanted = next;
    await this.#endHistory();
  }

  #passed(frame: Frame | null): Frame | null {
    if (frame === null) return null;
    assert(
      frame.position <= this.#wanted && frame.lastPosition >= this.#wanted,
      'the log has no gaps',
    );
    this.#wanted = positionAfter(frame.lastPosition, 1);
    return frame;
  }

  async #next(waitMs: number): Promise<Frame | null> {
    const deadline = performance.now() + waitMs;
    while (!this.#isClosed) {
      // Nothing is awaited between the look at the queue and the look at the head, so a frame that has just come is never read from the log.
      const queued = this.#takeQueued();
      const frame = queued ?? (await this.#readOn());
      // An iterator that the queue has overtaken is of no use.
      if (queued !== null && this.#history !== null) await this.#endHistory();
      if (this.#isClosed) return null;
      if (frame !== null) return this.#passed(frame);
      if (!this.isAtHead) continue;
      const restMs = deadline - performance.now();
      if (restMs <= 0) return null;
      await this.#waitForFrame(restMs);
    }
    return null;
  }

  #hear(frame: Frame): void {
    if (this.#isClosed) return;
    if (this.#queueBytes + frame.bytes.length > this.#queueBytesMax) this.#clearQueue();
    this.#queue.push(frame);
    this.#queueBytes += frame.bytes.length;
    this.#wake?.();
  }

  #clearQueue(): void {
    this.#queue = [];
    this.#queueBytes = 0;
  }

  #takeQueued(): Frame | null {
    for (;;) {
      const first = this.#queue[0];
      if (first === undefined || first.position > this.#wanted) return null;
      this.#queue.shift();
      this.#queueBytes -= first.bytes.length;
      if (first.lastPosition < this.#wanted) continue;
      return first;
    }
  }

  /** The next frame out of the log, or null when what was durable at the beginning of the read has been read. */
  async #readOn(): Promise<Frame | null> {
    return this.#takeRead() ?? (await this.#readStretch());
  }

  #takeRead(): Frame | null {
    const frame = this.#stretch[this.#handedOut] ?? null;
    if (frame !== null) this.#handedOut += 1;
    return frame;
  }

  async #readStretch(): Promise<Frame | null> {
    const isFresh = this.#history === null;
    if (isFresh && this.isAtHead) return null;
    this.#history ??= this.#log.read(this.#wanted)[Symbol.asyncIterator]();
    const step = await this.#history.next();
    if (this.#isClosed) return null;
    if (step.done === true) {
      assert(!isFresh, 'a log whose head lies at or beyond a position can be read from there');
      this.#history = null;
      return null;
    }
    this.#stretch = step.value;
    this.#handedOut = 0;
    return this.#takeRead();
  }

  #waitForFrame(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = Number.isFinite(waitMs) ? setTimeout(() => this.#wake?.(), waitMs) : null;
      this.#wake = () => {
        this.#wake = null;
        if (timer !== null) clearTimeout(timer);
        resolve();
      };
    });
  }

  async #endHistory(): Promise<void> {
    const history = this.#history;
    this.#history = null;
    this.#stretch = [];
    await history?.return?.();
  }

  /** Stops listening and releases what is read from. A waiting `next` resolves with null. May be called twice. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unsubscribe();
    this.#clearQueue();
    this.#wake?.();
    await this.#endHistory();
  }
}
