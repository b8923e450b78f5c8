/** What the harness asks of the process that makes the load, and what comes back. */
import type { LatencySummary } from '../statistics.ts';

export type ClientKind = 'http' | 'postgres' | 'redis' | 'nats' | 'sqlite';

/** Where and how a subject is reached. */
export interface Target {
  readonly client: ClientKind;
  /** An address, or a file for SQLite. */
  readonly url: string;
  readonly apiKey: string;
}

interface Common {
  readonly target: Target;
  readonly clients: number;
  readonly eventBytes: number;
}

interface Timed extends Common {
  readonly warmupMs: number;
  readonly durationMs: number;
}

/** Closed loop: each client sends its next append when the last one is acknowledged. */
export interface AppendJob extends Timed {
  readonly kind: 'append';
  readonly eventsPerCall: number;
}

/** Closed loop: all clients append to one entity, each with the version it expects, and retry on a conflict. */
export interface HotEntityJob extends Timed {
  readonly kind: 'hot-entity';
}

/** Closed loop: each client reads whole entities. */
export interface ReadJob extends Timed {
  readonly kind: 'read';
  readonly entities: number;
  readonly eventsPerEntity: number;
}

/** Open loop: appends at a fixed rate, and one subscriber that sees them come. */
export interface LiveJob extends Timed {
  readonly kind: 'live';
  readonly eventsPerSecond: number;
}

/** Appends a number of events in batches of 1000, spread over entities. */
export interface FillJob extends Common {
  readonly kind: 'fill';
  readonly events: number;
  readonly entities: number;
  readonly entityPrefix: string;
}

export type LoadJob = AppendJob | HotEntityJob | ReadJob | LiveJob | FillJob;

export interface LoadResult {
  readonly calls: number;
  readonly events: number;
  readonly seconds: number;
  readonly retries: number;
  readonly latency: LatencySummary;
  /** What a reader should know of this run. */
  readonly note?: string;
}
