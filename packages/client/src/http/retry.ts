/**
 * When a call is tried again, and after how long. Only calls that may be repeated safely come here: reads, saves that replace, and appends under an
 * idempotency key. The delay doubles from `delayMsMin` to `delayMsMax`, each time a random part of it (so that clients that failed together do not
 * come back together), but never less than the server asks for. Two budgets end it: the number of retries and the length of the outage.
 */
import { AllSourceError } from './allsource-error.ts';
import { pause } from './pause.ts';

export interface RetryPolicy {
  /** How often a call is tried again after its first failure. 0: never. */
  readonly retriesMax: number;
  /** How long after the first failure a call is still tried again, in milliseconds. */
  readonly forMs: number;
  /** The delay before the first retry; the later ones double it. */
  readonly delayMsMin: number;
  readonly delayMsMax: number;
}

/** Three retries after about 200, 400 and 800 ms. An outage that the server says lasts longer than a minute is reported at once. */
export const RETRY_DEFAULT: RetryPolicy = {
  retriesMax: 3,
  forMs: 60_000,
  delayMsMin: 200,
  delayMsMax: 10_000,
};

/** For what is to come back whenever the store does: streams and workers. */
export const RECONNECT: RetryPolicy = {
  retriesMax: Number.POSITIVE_INFINITY,
  forMs: Number.POSITIVE_INFINITY,
  delayMsMin: 100,
  delayMsMax: 30_000,
};

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

  /** How long to wait before the next try; null when a budget is spent. */
  nextDelayMs(askedForMs: number | null): number | null {
    const { retriesMax, forMs, delayMsMin, delayMsMax } = this.#policy;
    const ceilingMs = Math.min(delayMsMax, delayMsMin * 2 ** this.#failures++);
    const delayMs = Math.max(Math.random() * ceilingMs, askedForMs ?? 0, delayMsMin / 2);
    if (this.#failures > retriesMax) return null;
    return this.failingForMs + delayMs <= forMs ? delayMs : null;
  }
}

/** Runs a call until it succeeds, fails for good, or a budget of the policy is spent; then the last error is thrown. */
export async function withRetries<T>(call: () => Promise<T>, options: RetryOptions): Promise<T> {
  let backoff: Backoff | null = null;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof AllSourceError) || !isWorthRetrying(error)) throw error;
      backoff ??= new Backoff(options.policy);
      const delayMs = backoff.nextDelayMs(error.retryAfterMs);
      if (delayMs === null) throw error;
      options.onRetry?.({ error, delayMs, failingForMs: backoff.failingForMs });
      await pause(delayMs, options.signal);
    }
  }
}

// An open circuit is there to answer at once.
function isWorthRetrying(error: AllSourceError): boolean {
  return error.retryable && error.code !== 'circuit_open';
}
