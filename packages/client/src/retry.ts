/**
 * When a call is tried again, and after how long. Only calls that may be repeated safely come here: reads, and appends under an idempotency key. The
 * delay doubles from `delayMsMin` to `delayMsMax`, each time a random part of it (so that clients that failed together do not
 * come back together), but never less than the server asks for. The budget is time: an outage of `forMs` is bridged, a longer one is reported.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { AllSourceError } from './allsource-error.ts';

export interface RetryPolicy {
  /** How long after the first failure a call is still tried again, in milliseconds. 0: never. */
  readonly forMs: number;
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

export const RETRY_DEFAULT: RetryPolicy = { forMs: 15_000, delayMsMin: 100, delayMsMax: 5_000 };

/** What is told before each wait. */
export interface RetryNotice {
  readonly error: AllSourceError;
  readonly delayMs: number;
  /** How long the outage has lasted so far. */
  readonly failingForMs: number;
}

export interface RetryOptions {
  readonly policy: RetryPolicy;
  readonly signal?: AbortSignal | undefined;
  readonly onRetry?: ((notice: RetryNotice) => void) | undefined;
}

/** The delays of one outage. */
export class Backoff {
  readonly #policy: RetryPolicy;
  readonly #startedAtMs = performance.now();
  #failures = 0;

  constructor(policy: RetryPolicy) {
    this.#policy = policy;
  }

  get failingForMs(): number {
    return performance.now() - this.#startedAtMs;
  }

  /** How long to wait before the next try; null when the budget is spent. */
  nextDelayMs(askedForMs: number | null): number | null {
    const { forMs, delayMsMin, delayMsMax } = this.#policy;
    const ceilingMs = Math.min(delayMsMax, delayMsMin * 2 ** this.#failures++);
    const delayMs = Math.max(Math.random() * ceilingMs, askedForMs ?? 0, delayMsMin / 2);
    return this.failingForMs + delayMs <= forMs ? delayMs : null;
  }
}

/** Runs a call until it succeeds, fails for good, or the budget of the policy is spent; then the last error is thrown. */
export async function withRetries<T>(call: () => Promise<T>, options: RetryOptions): Promise<T> {
  let backoff: Backoff | null = null;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof AllSourceError) || !error.retryable) throw error;
      backoff ??= new Backoff(options.policy);
      const delayMs = backoff.nextDelayMs(error.retryAfterMs);
      if (delayMs === null) throw error;
      options.onRetry?.({ error, delayMs, failingForMs: backoff.failingForMs });
      await sleep(delayMs, undefined, { signal: options.signal });
    }
  }
}
