/** A place in line: how much time its holder has had, in milliseconds. */
export interface Seat {
  usedMs: number;
}

interface Waiting {
  readonly seat: Seat;
  readonly begin: () => void;
}

/**
 * Deals out the time of a thread among those that work on it: the next turn is for whoever has had the least. So the one that takes 100 ms for an event waits until the others
 * have had as much, and a quick one beside it waits for one such event at most. The event loop turns between turns.
 */
export class FairTurns {
  readonly #waiting: Waiting[] = [];
  #leastMs = 0;
  #isPumping = false;

  /** A place for a newcomer, who gets no more than those who were here before. */
  seat(): Seat {
    return { usedMs: this.#leastMs };
  }

  /** Gives the turn back after `usedMs` of work and waits for the next one. */
  next(seat: Seat, usedMs: number): Promise<void> {
    seat.usedMs += usedMs;
    return new Promise((begin) => {
      this.#waiting.push({ seat, begin });
      this.#pump();
    });
  }

  /** Notes work after which no turn is wanted for now. */
  note(seat: Seat, usedMs: number): void {
    seat.usedMs += usedMs;
  }

  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    setImmediate(() => {
      this.#isPumping = false;
      this.#grant();
      if (this.#waiting.length > 0) this.#pump();
    });
  }

  #grant(): void {
    let best = 0;
    for (const [index, { seat }] of this.#waiting.entries()) {
      // Who was away does not save up time.
      seat.usedMs = Math.max(seat.usedMs, this.#leastMs);
      if (seat.usedMs < (this.#waiting[best] as Waiting).seat.usedMs) best = index;
    }
    const [next] = this.#waiting.splice(best, 1);
    if (next === undefined) return;
    this.#leastMs = next.seat.usedMs;
    next.begin();
  }
}
