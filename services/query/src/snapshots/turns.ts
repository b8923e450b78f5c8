import { setTimeout as sleep, setImmediate as nextTurn } from 'node:timers/promises';

/** How long work may go on in one stretch before others get their turn. */
const STRETCH_MS = 4;
/** A stretch can come out long when others had the processor; the rest behind it has this end. */
const REST_MS_MAX = 1_000;

/**
 * Divides long work into stretches of a few milliseconds. Whoever works asks `isOver` after each piece and then waits for `rest`. Work that nobody
 * waits for takes only a share of the time: it rests long enough for that.
 */
export class Turns {
  readonly #restPerWork: number;
  readonly #stop: AbortSignal | null;
  #startedMs = performance.now();

  /** Work that takes `share` of the time at most, from above 0 to 1, and ends at a rest when it is told to stop. */
  constructor(share = 1, stop: AbortSignal | null = null) {
    this.#restPerWork = (1 - share) / share;
    this.#stop = stop;
  }

  get isOver(): boolean {
    return performance.now() - this.#startedMs >= STRETCH_MS;
  }

  /** Lets others work, and begins the next stretch. Throws the reason when the work is to stop. */
  async rest(): Promise<void> {
    const restMs = (performance.now() - this.#startedMs) * this.#restPerWork;
    if (restMs === 0) await nextTurn();
    else await sleep(Math.min(restMs, REST_MS_MAX));
    this.#stop?.throwIfAborted();
    this.#startedMs = performance.now();
  }
}
