import type { EventEmitter } from 'node:events';

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Ctrl-C or SIGTERM: the first aborts `signal`, so that a command can end in order; the second ends the process at once. */
export class Interruption {
  readonly #controller = new AbortController();
  readonly #source: EventEmitter;
  readonly #onSignal = () => this.#interrupt();

  constructor(source: EventEmitter) {
    this.#source = source;
    for (const signal of SIGNALS) source.on(signal, this.#onSignal);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get isInterrupted(): boolean {
    return this.#controller.signal.aborted;
  }

  #interrupt(): void {
    this.close();
    this.#controller.abort();
  }

  /** Gives the signals back to the system, whose answer to them is to end the process. */
  close(): void {
    for (const signal of SIGNALS) this.#source.off(signal, this.#onSignal);
  }
}
