/** Messages that all subscribers together are sent in one turn of the event loop: a few milliseconds of system calls. */
const MESSAGES_PER_TURN = 128;

/**
 * Shares the turns of the event loop between subscribers and everybody else: an event for a thousand of them goes out in slices, and appends are taken and acknowledged in between. Who
 * finds the turn used up waits in line.
 */
export class SendTurns {
  readonly #perTurn: number;
  readonly #waiting: (() => void)[] = [];
  #taken = 0;

  constructor(perTurn = MESSAGES_PER_TURN) {
    this.#perTurn = perTurn;
  }

  /** Takes a place of this turn for one message; false when there is none left, or somebody waits for it. */
  take(): boolean {
    if (this.#taken >= this.#perTurn || this.#waiting.length > 0) return false;
    this.#enter();
    return true;
  }

  /** Resolves with a place of a later turn. */
  wait(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #enter(): void {
    if (this.#taken === 0) setImmediate(() => this.#nextTurn());
    this.#taken += 1;
  }

  #nextTurn(): void {
    this.#taken = 0;
    for (const resolve of this.#waiting.splice(0, this.#perTurn)) {
      this.#enter();
      resolve();
    }
  }
}
