/**
 * Stops calls to a store that is not there, so that callers fail at once and the store can come up in peace.
 *
 *     closed --- `failuresMax` tries in a row fail ---> open --- `openMs` later ---> half-open: one call probes
 *        ^                                               ^                              |
 *        |                                               +------ the probe fails -------+
 *        +------------------------- the probe succeeds ---------------------------------+
 *
 * Only what says that the store is unwell counts: no connection, no answer in time, 5xx. A refusal (4xx, also 429) is an answer of a store
 * that is well. A call that its caller gives up says nothing; as a probe it makes room for the next one.
 */
import { AllSourceError, CircuitOpenError } from './allsource-error.ts';

export interface BreakerPolicy {
  /** Failed tries in a row after which the circuit opens. */
  readonly failuresMax: number;
  /** How long it stays open before one call may probe, in milliseconds. */
  readonly openMs: number;
}

export const BREAKER_DEFAULT: BreakerPolicy = { failuresMax: 5, openMs: 30_000 };

export type CircuitState = 'closed' | 'open' | 'half-open';

export class CircuitBreaker {
  readonly #policy: BreakerPolicy;
  readonly #nowMs: () => number;
  #failures = 0;
  #openedAtMs = 0;
  #isProbing = false;
  #lastFailure: AllSourceError | null = null;

  /** `nowMs` is a clock that never goes back. */
  constructor(policy: BreakerPolicy, nowMs: () => number = () => performance.now()) {
    this.#policy = policy;
    this.#nowMs = nowMs;
  }

  get state(): CircuitState {
    if (this.#failures < this.#policy.failuresMax) return 'closed';
    return this.#isProbing || this.#openForMs <= 0 ? 'half-open' : 'open';
  }

  get #openForMs(): number {
    return this.#openedAtMs + this.#policy.openMs - this.#nowMs();
  }

  /** Makes a call unless the circuit is open. Throws {@link CircuitOpenError} without calling when it is. */
  async run<T>(call: () => Promise<T>): Promise<T> {
    const isProbe = this.#admit();
    try {
      const result = await call();
      this.#close();
      return result;
    } catch (error) {
      this.#note(error, isProbe);
      throw error;
    } finally {
      if (isProbe) this.#isProbing = false;
    }
  }

  /** True when the call is the probe of a half-open circuit. */
  #admit(): boolean {
    const { state } = this;
    if (state === 'closed') return false;
    if (state === 'open' || this.#isProbing)
      throw new CircuitOpenError(this.#failures, Math.max(0, this.#openForMs), this.#lastFailure);
    this.#isProbing = true;
    return true;
  }

  #close(): void {
    this.#failures = 0;
    this.#lastFailure = null;
  }

  #note(error: unknown, isProbe: boolean): void {
    if (!(error instanceof AllSourceError)) return;
    if (!saysUnwell(error)) {
      if (error.status !== null) this.#close();
      return;
    }
    this.#failures += 1;
    this.#lastFailure = error;
    // A call that began before the circuit opened and fails after does not hold it open longer.
    if (this.#failures === this.#policy.failuresMax || isProbe) this.#openedAtMs = this.#nowMs();
  }
}

function saysUnwell({ status, retryable }: AllSourceError): boolean {
  return retryable && (status === null || status >= 500);
}
