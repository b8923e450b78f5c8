import type { EventRun } from './event-run.ts';

/** What is folded from the history as it grows. It is told of every row once, in position order, in the same turn in which it is applied. */
export interface RunListener {
  /** The rows of `run` from `fromRow` on are new. Must not throw and must not wait. */
  rowsAdded(run: EventRun, fromRow: number): void;
  /** The history is empty again. */
  emptied(): void;
}
