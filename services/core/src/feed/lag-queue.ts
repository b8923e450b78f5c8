import { LIMITS } from '@allsource/shared/limits';
import type { FrameEvent } from '@allsource/shared/protocol';

export interface LagQueueOptions {
  readonly eventsMax?: number;
  /** Bytes of the frames that the waiting events keep in memory. */
  readonly bytesMax?: number;
}

/** The newest events for a subscriber that takes nothing. When it is full the oldest goes and is counted as missed. */
export class LagQueue {
  readonly #eventsMax: number;
  readonly #bytesMax: number;
  readonly #events: FrameEvent[] = [];
  #bytes = 0;
  #missed = 0;

  constructor(options: LagQueueOptions = {}) {
    this.#eventsMax = options.eventsMax ?? LIMITS.subscriberQueueMax;
    this.#bytesMax = options.bytesMax ?? LIMITS.frameBytesMax;
  }

  /** The events that wait, oldest first. */
  get events(): readonly FrameEvent[] {
    return this.#events;
  }

  /** How many events went unsent. */
  get missed(): number {
    return this.#missed;
  }

  push(event: FrameEvent): void {
    if (this.#events.at(-1)?.frame !== event.frame) this.#bytes += event.frame.bytes.length;
    this.#events.push(event);
    while (this.#events.length > this.#eventsMax || this.#bytes > this.#bytesMax) {
      if (!this.#dropOldest()) return;
    }
  }

  #dropOldest(): boolean {
    const oldest = this.#events.shift();
    if (oldest === undefined) return false;
    this.#missed += 1;
    if (this.#events[0]?.frame !== oldest.frame) this.#bytes -= oldest.frame.bytes.length;
    return true;
  }
}
