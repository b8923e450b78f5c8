import type { Position } from '@allsource/shared/model';
import type { FollowerTimers } from './follower-timers.ts';

type Settle = (hasApplied: boolean) => void;

/** Those who wait until a sink has applied a position. Waiters for one position, the usual case, cost one look-up together. */
export class PositionWaiters {
  readonly #timers: FollowerTimers;
  readonly #waiting = new Map<Position, Set<Settle>>();

  constructor(timers: FollowerTimers) {
    this.#timers = timers;
  }

  /** Resolves true when `reached` is called with `target` or beyond, false after `timeoutMs`. */
  wait(target: Position, timeoutMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const cancel = this.#timers.after(timeoutMs, () => {
        this.#forget(target, settle);
        resolve(false);
      });
      const settle: Settle = (hasApplied) => {
        cancel();
        resolve(hasApplied);
      };
      const others = this.#waiting.get(target);
      if (others === undefined) this.#waiting.set(target, new Set([settle]));
      else others.add(settle);
    });
  }

  /** Wakes everybody who waits for `applied` or less. */
  reached(applied: Position): void {
    for (const [target, waiters] of this.#waiting) {
      if (target > applied) continue;
      this.#waiting.delete(target);
      for (const settle of waiters) settle(true);
    }
  }

  /** Nothing more will be applied: everybody gets false. */
  close(): void {
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const waiters of all) for (const settle of waiters) settle(false);
  }

  #forget(target: Position, settle: Settle): void {
    const waiters = this.#waiting.get(target);
    waiters?.delete(settle);
    if (waiters?.size === 0) this.#waiting.delete(target);
  }
}
