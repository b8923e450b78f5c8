import type { Position } from '@allsource/shared/model';

/** Where the history stands, for those who fold it. */
export interface HistoryPlace {
  readonly logId: string;
  /** Up to here every row has been told to the listeners, at the moment of the call. */
  readonly appliedPosition: () => Position;
}

/** Keeps what listeners have folded, so that a start folds only the rest. What is kept may be deleted: then everything is folded. */
export interface FoldCheckpoints {
  /** Takes back the listeners' state, if one is kept that is no newer than the durable blocks. Returns the position it is of; 0 for none. */
  restore(durable: { readonly logId: string; readonly position: Position }): Promise<Position>;
  /** Says that the listeners have been told of every row up to `position` and of none behind it. Must not wait. */
  atBoundary(position: Position, place: HistoryPlace): void;
  /** Says up to where blocks are durable. */
  durableAt(position: Position): void;
  /** Removes what is kept. */
  clear(): Promise<void>;
  /** Ends what is under way. */
  close(): Promise<void>;
}
