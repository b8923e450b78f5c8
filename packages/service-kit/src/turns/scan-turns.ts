/**
 * Who may scan, and when. Scans of columns are work of this process's only thread, so they take turns: one scan does a fraction of a millisecond of work,
 * then everything else that waits (requests, the feed) is served, then the next scan goes on. However many scans there are, the event
 * loop is held by one turn at a time.
 *
 * Few scans run at once, because each has memory of its own; more wait in the order they came, and of those again only a number. A scan whose
 * reader has gone, or that has used up its time, ends at its next turn.
 */
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import type { Pace } from './pace.ts';
import { TURN_MS } from './turns.ts';

/** Thrown in a scan whose reader has gone away: there is nobody to answer. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
}

export interface ScanTurnsOptions {
  /** Scans at work at the same time. */
  readonly scansMax: number;
  /** Scans that may wait for one of them to end. */
  readonly waitingMax: number;
  /** How long one scan may take, with its turns but without its wait. */
  readonly scanMs: number;
}

const OPTIONS: ScanTurnsOptions = {
  scansMax: 4,
  waitingMax: LIMITS.scansWaitingMax,
  scanMs: LIMITS.scanMs,
};

export class ScanTurns {
  readonly #options: ScanTurnsOptions;
  #running = 0;
  readonly #admissions: (() => void)[] = [];
  readonly #turns: (() => void)[] = [];

  constructor(options: Partial<ScanTurnsOptions> = {}) {
    this.#options = { ...OPTIONS, ...options };
  }

  /** Runs a scan when there is room for it. Throws `overloaded` when too many wait already. */
  async run<T>(isAbandoned: () => boolean, scan: (pace: Pace) => Promise<T>): Promise<T> {
    await this.#admission();
    try {
      const { scanMs } = this.#options;
      const pace = new ScanPace(() => this.#nextTurn(), { isAbandoned, scanMs });
      await pace.nextTurn();
      return await scan(pace);
    } finally {
      this.#leave();
    }
  }

  async #admission(): Promise<void> {
    const { scansMax, waitingMax } = this.#options;
    if (this.#running < scansMax) {
      this.#running += 1;
      return;
    }
    if (this.#admissions.length >= waitingMax) {
      throw problem(
        'overloaded',
        `${scansMax} scans of the history are running and ${waitingMax} wait. Try again.`,
        { limit: waitingMax },
      );
    }
    await new Promise<void>((resolve) => this.#admissions.push(resolve));
  }

  /** Gives the place to the first that waits. */
  #leave(): void {
    const next = this.#admissions.shift();
    if (next === undefined) this.#running -= 1;
    else next();
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#turns.push(resolve) === 1) setImmediate(() => this.#giveTurn());
    });
  }

  /** One turn for each round of the event loop. */
  #giveTurn(): void {
    this.#turns.shift()?.();
    if (this.#turns.length > 0) setImmediate(() => this.#giveTurn());
  }
}

class ScanPace implements Pace {
  readonly #wait: () => Promise<void>;
  readonly #isAbandoned: () => boolean;
  readonly #scanMs: number;
  readonly #scanStartMs = performance.now();
  #turnStartMs = this.#scanStartMs;

  constructor(
    wait: () => Promise<void>,
    { isAbandoned, scanMs }: { readonly isAbandoned: () => boolean; readonly scanMs: number },
  ) {
    this.#wait = wait;
    this.#isAbandoned = isAbandoned;
    this.#scanMs = scanMs;
  }

  get isTurnOver(): boolean {
    return performance.now() - this.#turnStartMs > TURN_MS;
  }

  /** Throws {@link ReaderGone}, or `query_budget_exceeded`. */
  async nextTurn(): Promise<void> {
    await this.#wait();
    if (this.#isAbandoned()) throw new ReaderGone();
    this.#turnStartMs = performance.now();
    if (this.#turnStartMs - this.#scanStartMs <= this.#scanMs) return;
    throw problem(
      'query_budget_exceeded',
      `This answer needs a scan of more than ${this.#scanMs} ms. Name a shorter range, a type or an entity.`,
      { budget: 'time', limit: this.#scanMs },
    );
  }
}
