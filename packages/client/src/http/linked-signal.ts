/**
 * One signal that aborts when any of several does, or when time is up. Unlike `AbortSignal.any` it can be released, so that signals that live as
 * long as a process do not collect a follower for each call.
 */
export class LinkedSignal {
  readonly #controller = new AbortController();
  readonly #sources: readonly AbortSignal[];
  readonly #timer: ReturnType<typeof setTimeout> | null;
  #isTimedOut = false;

  constructor(sources: readonly (AbortSignal | undefined)[], timeoutMs: number | null) {
    this.#sources = sources.filter((source) => source !== undefined);
    for (const source of this.#sources) {
      if (source.aborted) this.#controller.abort(source.reason);
      else source.addEventListener('abort', this.#follow);
    }
    this.#timer = timeoutMs === null ? null : setTimeout(() => this.#timeOut(), timeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** True when time was up first. */
  get isTimedOut(): boolean {
    return this.#isTimedOut;
  }

  /** Aborts, whatever the sources say. */
  abort(reason?: Error): void {
    this.#controller.abort(reason);
  }

  /** Lets go of the sources and the timer. */
  release(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const source of this.#sources) source.removeEventListener('abort', this.#follow);
  }

  readonly #follow = (event: Event): void => {
    const { target } = event;
    this.#controller.abort(target instanceof AbortSignal ? target.reason : undefined);
  };

  #timeOut(): void {
    this.#isTimedOut = !this.#controller.signal.aborted;
    this.#controller.abort(new Error('time is up'));
  }
}
