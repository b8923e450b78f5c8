import { asError } from './disk.ts';

/** Steps of one piece of work that run beside each other, a few at a time. What a step throws is kept until somebody waits for it. */
export class StepsInFlight {
  readonly #max: number;
  /** The oldest first; each resolves with what it threw. */
  readonly #running: Promise<Error | null>[] = [];

  /** At most `max` steps run at once. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Takes a step that has begun, and returns when there is room for another. Throws what the oldest one threw, if that had to be waited for. */
  async add(step: Promise<void>): Promise<void> {
    this.#running.push(step.then(() => null, asError));
    if (this.#running.length === this.#max) await this.#oldest();
  }

  /** Waits for all steps. Throws what one of them threw. */
  async end(): Promise<void> {
    while (this.#running.length > 0) await this.#oldest();
  }

  /** Waits until no step runs any more, however they end. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #oldest(): Promise<void> {
    const failure = await this.#running.shift();
    if (failure instanceof Error) throw failure;
  }
}
