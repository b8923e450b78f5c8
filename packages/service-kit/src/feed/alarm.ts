import type { FollowerTimers } from './follower-timers.ts';

/** A point in time that becomes due once. It wakes its owner then and stays due until it is disarmed. */
export class Alarm {
  readonly #timers: FollowerTimers;
  readonly #onDue: () => void;
  #cancel: (() => void) | null = null;
  #isDue = false;

  constructor(timers: FollowerTimers, onDue: () => void) {
    this.#timers = timers;
    this.#onDue = onDue;
  }

  get isDue(): boolean {
    return this.#isDue;
  }

  /** Makes it due after `delayMs`. One that is armed already keeps its time. */
  arm(delayMs: number): void {
    this.#cancel ??= this.#timers.after(delayMs, () => {
      this.#isDue = true;
      this.#onDue();
    });
  }

  disarm(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#isDue = false;
  }
}
