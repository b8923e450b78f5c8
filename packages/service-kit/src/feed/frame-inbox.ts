import type { Position } from '@allsource/shared/model';
import type { FeedMessage, Frame } from '@allsource/shared/protocol';
import { FOLLOWER_LIMITS } from './follower-limits.ts';

interface Arrival {
  readonly frame: Frame;
  readonly number: number;
}

/**
 * Frames that have come from NATS, by position, until the frame before them has come. It is bounded: when it is full it lets go of everything, because the log has it all.
 * Nothing in it is trusted before it joins on to what the sink holds.
 */
export class FrameInbox {
  readonly #arrivals = new Map<number, Arrival>();
  #bytes = 0;
  #arrivalCount = 0;

  get isEmpty(): boolean {
    return this.#arrivals.size === 0;
  }

  /** A mark in time, for `dropBeyond`. */
  get arrivalCount(): number {
    return this.#arrivalCount;
  }

  /** Keeps a frame; the first of a position counts. Returns false when the inbox was full and has let go of everything. */
  put(frame: Frame): boolean {
    if (this.#arrivals.has(frame.position)) return true;
    const { inboxBytesMax, inboxFramesMax } = FOLLOWER_LIMITS;
    const isFull = this.#arrivals.size >= inboxFramesMax || this.#bytes >= inboxBytesMax;
    if (isFull) this.clear();
    this.#arrivalCount++;
    this.#arrivals.set(frame.position, { frame, number: this.#arrivalCount });
    this.#bytes += frame.bytes.length;
    return !isFull;
  }

  /** Takes out the frames that follow `applied` without a gap. */
  takeAfter(applied: Position): FeedMessage[] {
    const run: FeedMessage[] = [];
    let next = applied + 1;
    for (;;) {
      const frame = this.#arrivals.get(next)?.frame;
      if (frame === undefined) return run;
      this.#delete(frame);
      run.push({ kind: 'frame', frame });
      next = frame.lastPosition + 1;
    }
  }

  /** Lets go of what has been applied. */
  dropThrough(applied: Position): void {
    for (const { frame } of this.#arrivals.values())
      if (frame.position <= applied) this.#delete(frame);
  }

  /** Lets go of frames beyond `head` that came before the mark: core named that head after it, so there are no such frames. */
  dropBeyond(head: Position, arrivalCount: number): void {
    for (const { frame, number } of this.#arrivals.values())
      if (frame.lastPosition > head && number <= arrivalCount) this.#delete(frame);
  }

  clear(): void {
    this.#arrivals.clear();
    this.#bytes = 0;
  }

  #delete(frame: Frame): void {
    this.#arrivals.delete(frame.position);
    this.#bytes -= frame.bytes.length;
  }
}
