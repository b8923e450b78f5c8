import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long background work holds the event loop before others may run. */
const TURN_MS = 2;

/** Cuts long work into turns of the event loop: whoever does it asks between two pieces, each of which is short. */
export class Turns {
  #startedMs = performance.now();

  /** True when this turn has been long enough. */
  get isOver(): boolean {
    return performance.now() - this.#startedMs >= TURN_MS;
  }

  /** Lets others run when this turn has been long enough. */
  async next(): Promise<void> {
    if (!this.isOver) return;
    await nextTurn();
    this.#startedMs = performance.now();
  }
}
