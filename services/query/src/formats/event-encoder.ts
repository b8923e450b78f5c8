import type { RowStretches } from '../history/event-history.ts';

/** Writes events in one format. */
export interface EventEncoder {
  /** Says which rows come next. Those before have been taken. */
  begin(stretches: RowStretches): void;
  /** Takes the next rows, some at a time: less than a millisecond's. Returns false when there are none left. */
  takeSome(): boolean;
  /** Writes what was taken and what ends the format. */
  end(): void;
}
