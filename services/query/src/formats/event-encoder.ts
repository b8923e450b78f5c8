import type { EventRun } from '../history/event-run.ts';

/** Writes events in one format. */
export interface EventEncoder {
  /** Takes the event of a row. */
  add(run: EventRun, row: number): void;
  /** Writes what was taken and what ends the format. */
  end(): void;
}
