import type { Position } from '@allsource/shared/model';

/** Brings the log to a sink. Its owner runs `follow` again and again; everything else may be called at any time. */
export interface LogReader {
  /** Follows the log until it cannot; then throws why. */
  follow(): Promise<void>;
  /** Core's log is known to reach `target`: bring it soon if it does not come by itself. */
  nudge(target: Position): void;
  /** Something does not fit together: agree with core again before anything else. */
  recheck(): void;
  /** Ends `follow`. May be called twice. */
  close(): Promise<void>;
}
