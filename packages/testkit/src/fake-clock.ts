/** A clock that only a test turns: wall time in microseconds, a monotonic time in milliseconds, and sleepers that wake in order. */
import { type Micros, micros } from '@allsource/shared/model';

interface Sleeper {
  readonly wakesAtMs: number;
  readonly wake: () => void;
}

const START_MICROS = 1_790_000_000_000_000;

export class FakeClock {
  #nowMs = 0;
  /** How far the wall clock stands from where it should: a test sets it back and forth. */
  skewMicros = 0;
  #sleepers: Sleeper[] = [];

  nowMicros(): Micros {
    return micros(START_MICROS + Math.round(this.#nowMs * 1000) + this.skewMicros);
  }

  /** Never goes back. */
  readonly nowMs = (): number => this.#nowMs;

  /** Resolves when the clock has been turned this far. */
  sleep(durationMs: number): Promise<void> {
    return new Promise((wake) => {
      this.#sleepers.push({ wakesAtMs: this.#nowMs + durationMs, wake });
    });
  }

  /** How many sleep. */
  get sleeperCount(): number {
    return this.#sleepers.length;
  }

  /** Turns the clock and wakes those whose time has come, the earliest first. */
  advance(durationMs: number): void {
    this.#nowMs += durationMs;
    const due = this.#sleepers.filter(({ wakesAtMs }) => wakesAtMs <= this.#nowMs);
    this.#sleepers = this.#sleepers.filter(({ wakesAtMs }) => wakesAtMs > this.#nowMs);
    for (const { wake } of due.sort((a, b) => a.wakesAtMs - b.wakesAtMs)) wake();
  }
}
