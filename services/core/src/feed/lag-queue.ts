import { LIMITS } from '@allsource/shared/limits';

const QUEUE_CHARACTERS_MAX = 4 * 1024 * 1024;

/**
 * The newest messages for a subscriber that takes nothing. When it is full the oldest goes and is counted as missed. It holds texts and not
 * events: an event would keep its whole frame in memory.
 */
export class LagQueue {
  readonly #texts: string[] = [];
  #characters = 0;
  #missed = 0;

  /** The messages that wait, oldest first. */
  get texts(): readonly string[] {
    return this.#texts;
  }

  /** How many messages went unsent. */
  get missed(): number {
    return this.#missed;
  }

  push(text: string): void {
    this.#texts.push(text);
    this.#characters += text.length;
    while (this.#isOverfull()) {
      this.#characters -= this.#texts.shift()?.length ?? 0;
      this.#missed += 1;
    }
  }

  /** The newest message is kept whatever its size. */
  #isOverfull(): boolean {
    if (this.#texts.length > LIMITS.subscriberQueueMax) return true;
    return this.#characters > QUEUE_CHARACTERS_MAX && this.#texts.length > 1;
  }
}
