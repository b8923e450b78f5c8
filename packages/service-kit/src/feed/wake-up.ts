import type { FollowerTimers } from './follower-timers.ts';

/** A bell for one sleeper. A ring that comes while nobody sleeps is kept for the next sleep. */
export class WakeUp {
  readonly #timers: FollowerTimers;
  #isRung = false;
  #wake: (() => void) | null = null;

  constructor(timers: FollowerTimers) {
    this.#timers = timers;
  }

  /** Ends the sleep that goes on, or the next one. */
  notify(): void {
    this.#isRung = true;
    this.#wake?.();
  }

  /** Sleeps until `notify`, at most `delayMs`. */
  async wait(delayMs: number): Promise<void> {
    if (!this.#isRung) {
      await new Promise<void>((resolve) => {
        const cancel = this.#timers.after(delayMs, resolve);
        this.#wake = () => {
          cancel();
          resolve();
        };
      });
    }
    this.#wake = null;
    this.#isRung = false;
  }
}
