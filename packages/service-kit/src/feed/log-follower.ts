import type { Position } from '@allsource/shared/model';

/** How far behind a follower is, for readyz, metrics and answers. */
export interface FollowerStatus {
  /** False until the first time the sink has reached core's head; then true for good. */
  readonly hasCaughtUp: boolean;
  readonly appliedPosition: Position;
  /** The last head heard of. */
  readonly knownHead: Position;
  /** What keeps it from following, in a sentence; null when all is well. */
  readonly fault: string | null;
}

/** Follows core's log into a sink: over the feed, or over NATS with the feed as back-fill. */
export interface LogFollower {
  start(): void;
  readonly status: FollowerStatus;
  /** Asks core for its head; calls that come while one is under way share the next. Throws `upstream_unavailable`. */
  coreHead(): Promise<Position>;
  /** Resolves true as soon as the sink has applied `position`, false after `timeoutMs`. */
  waitFor(position: Position, timeoutMs: number): Promise<boolean>;
  close(): Promise<void>;
}
