import { LIMITS } from '@allsource/shared/limits';

const QUEUE_BYTES_MAX = 4 * 1024 * 1024;

/**
 * The newest messages for a subscriber that takes nothing. When it is full the oldest goes and is counted as missed. It holds what would be
 * sent and not events: an event would keep its whole frame in memory.
 */
export class LagQueue {
  readonly #messages: Buffer[] = [];
  #bytes = 0;
  #missed = 0;

  /** The messages that wait, oldest first. */
  get messages(): readonly Buffer[] {
    return this.#messages;
  }

  /** How many messages went unsent. */
  get missed(): number {
    return this.#missed;
  }

  push(message: Buffer): void {
    this.#messages.push(message);
    this.#bytes += message.length;
    while (this.#isOverfull()) {
      this.#bytes -= this.#messages.shift()?.length ?? 0;
      this.#missed += 1;
    }
  }

  /** The newest message is kept whatever its size. */
  #isOverfull(): boolean {
    if (this.#messages.length > LIMITS.subscriberQueueMax) return true;
    return this.#bytes > QUEUE_BYTES_MAX && this.#messages.length > 1;
  }
}
