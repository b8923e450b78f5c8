import type { Frame } from '@allsource/shared/protocol';
import type { LogHead, LogStore } from './log-store.ts';

/** How a log is opened. */
export interface ReplayOnOpen {
  /**
   * Called with every frame of the log from position 1, in order, each once, while `open` verifies it, so that folds are built in the same pass. It
   * must not throw. When `open` throws afterwards, what was folded is worth nothing.
   */
  readonly onFrame?: (frame: Frame) => void;
}

/** A log store that reads the whole log when it opens and hands it on, as the memory and the file store do. */
export interface ReplayingLogStore extends LogStore {
  open(replay?: ReplayOnOpen): Promise<LogHead>;
}
