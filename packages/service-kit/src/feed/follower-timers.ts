/** The time and the chance that a follower depends on, passed in so that tests own them. */
export interface FollowerTimers {
  /** Calls back once, after `delayMs`. Returns how to cancel it. */
  after(delayMs: number, call: () => void): () => void;
  /** A number from 0 up to, but not including, 1. */
  random(): number;
}

/** Node's timers. They keep the process alive until their owner is closed. */
export const systemTimers: FollowerTimers = {
  after: (delayMs, call) => {
    const timer = setTimeout(call, delayMs);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};

export interface RetryLimits {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

/** How long to wait before the next try: doubled each time, with jitter so that many readers do not come back at one moment. */
export class RetryDelay {
  readonly #timers: FollowerTimers;
  readonly #limits: RetryLimits;
  #delayMs: number;

  constructor(timers: FollowerTimers, limits: RetryLimits) {
    this.#timers = timers;
    this.#limits = limits;
    this.#delayMs = limits.delayMsMin;
  }

  /** The next delay in milliseconds, between half and all of the doubled one. */
  next(): number {
    const delayMs = this.#delayMs;
    this.#delayMs = Math.min(delayMs * 2, this.#limits.delayMsMax);
    return delayMs * (0.5 + this.#timers.random() / 2);
  }

  /** Something went well: begin again with the shortest delay. */
  reset(): void {
    this.#delayMs = this.#limits.delayMsMin;
  }
}
