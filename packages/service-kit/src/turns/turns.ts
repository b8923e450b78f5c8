import { setTimeout as sleep, setImmediate as nextTurn } from 'node:timers/promises';
import type { Pace } from './pace.ts';

/** How long work holds the event loop before others may run, in milliseconds. An answer takes several turns of the loop, and waits in each of them for one turn of everybody who works. */
export const TURN_MS = 0.25;
/** A turn can come out long when others had the processor; the rest behind it has this end. */
const REST_MS_MAX = 1_000;

/**
 * Cuts long work into turns of the event loop: whoever does it asks between two pieces, each of which is short. Work that nobody waits for takes only a share of the time: it
 * rests long enough for that.
 */
export class Turns implements Pace {
  readonly #share: number | (() => number);
  readonly #stop: AbortSignal | null;
  #startedMs = performance.now();

  /** Work that takes `share` of the time at most, from above 0 to 1, asked for at the end of each turn if it changes, and ends between two turns when it is told to stop. */
  constructor(share: number | (() => number) = 1, stop: AbortSignal | null = null) {
    this.#share = share;
    this.#stop = stop;
  }

  /** True when this turn has been long enough. */
  get isTurnOver(): boolean {
    return performance.now() - this.#startedMs >= TURN_MS;
  }

  /** Lets others run when this turn has been long enough. Throws as `nextTurn` does. */
  async next(): Promise<void> {
    if (this.isTurnOver) await this.nextTurn();
  }

  /** Lets others run now, and begins the next turn. Throws the reason when the work is to stop. */
  async nextTurn(): Promise<void> {
    const share = typeof this.#share === 'number' ? this.#share : this.#share();
    const restMs = (performance.now() - this.#startedMs) * ((1 - share) / share);
    if (restMs === 0) await nextTurn();
    else await sleep(Math.min(restMs, REST_MS_MAX));
    this.#stop?.throwIfAborted();
    this.#startedMs = performance.now();
  }
}
