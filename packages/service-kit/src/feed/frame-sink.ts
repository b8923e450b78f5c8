import type { Position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';

/** What a follower of the log fills. The follower calls it one call at a time, in position order, each position at most once. */
export interface FrameSink {
  /** The position the sink is true at. The next frame begins right after it, unless the feed is filtered. */
  readonly appliedPosition: Position;
  /** The log the sink was filled from, as hex; null while it is empty. */
  readonly logId: string | null;
  /** Applies the next frames, all or nothing. */
  apply(frames: readonly Frame[], logId: string): Promise<void> | void;
  /** Says that the log holds nothing more for this sink up to `position` (idle and filtered stretches). */
  advance(position: Position, logId: string): Promise<void> | void;
  /** Empties the sink: the log behind core is another one than the sink was filled from, or the sink is ahead of it. */
  reset(): Promise<void> | void;
}
