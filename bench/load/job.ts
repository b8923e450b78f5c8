/** What the harness asks of the process that makes the load, and what comes back. */
import type { LatencySummary } from '../statistics.ts';

export type ClientKind =
  | 'http'
  | 'postgres'
  | 'message-db'
  | 'emmett-postgresql'
  | 'redis'
  | 'nats'
  | 'sqlite';

/** Where and how a subject is reached. */
export interface Target {
  readonly client: ClientKind;
  /** An address, or a file for SQLite. */
  readonly url: string;
  /** Empty: requests carry no key. */
  readonly apiKey: string;
}

interface Common {
  readonly target: Target;
  readonly clients: number;
  readonly eventBytes: number;
}

export interface Timed extends Common {
  readonly warmupMs: number;
  readonly durationMs: number;
}

/** Closed loop: each client sends its next append when the last one is acknowledged. */
export interface AppendJob extends Timed {
  readonly kind: 'append';
  readonly eventsPerCall: number;
  /** Ends the loop early, so that a long run does not fill the disk. */
  readonly eventsMax?: number;
}

/** Rules that a client can ask for with each of its appends. */
export interface AskedRules {
  readonly idempotencyKeys: boolean;
  readonly expectedVersions: boolean;
}

/** Closed loop of batches to entities that each client has for itself; all variants send the same number of bytes. */
export interface RuledAppendJob extends Timed, AskedRules {
  readonly kind: 'ruled-append';
  readonly eventsPerCall: number;
}

/** Closed loop: all clients append to one entity, each with the version it expects, and retry on a conflict. */
export interface HotEntityJob extends Timed {
  readonly kind: 'hot-entity';
}

/** Closed loop: each client reads the first events of entities, one entity after the other. */
export interface ReadJob extends Timed {
  readonly kind: 'read';
  readonly entityPrefix: string;
  readonly entities: number;
  /** How far apart the numbers are of two entities that a client reads one after the other. */
  readonly entityStride: number;
  readonly eventsPerEntity: number;
}

/** Open loop: reads of the newest event of entities at a fixed rate. */
export interface PointReadJob extends Timed {
  readonly kind: 'point-read';
  readonly entities: number;
  readonly readsPerSecond: number;
}

/** Open loop: reads of anything at a fixed rate, each path in its turn. */
export interface PacedReadJob extends Timed {
  readonly kind: 'paced-read';
  readonly paths: readonly string[];
  readonly readsPerSecond: number;
}

/** Open loop: single appends at a fixed rate. */
export interface PacedAppendJob extends Timed {
  readonly kind: 'paced-append';
  readonly appendsPerSecond: number;
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

/** Reads the first `events` events of a filled log, from the first on, with one consumer. */
export interface ReplayJob {
  readonly kind: 'replay';
  readonly target: Target;
  readonly internalToken: string;
  readonly events: number;
  /** bytes: whole and checked, but not looked into. events: each one an object with its payload parsed. */
  readonly takes: 'bytes' | 'events';
}

export type LoadJob =
  | AppendJob
  | RuledAppendJob
  | HotEntityJob
  | ReadJob
  | PointReadJob
  | PacedReadJob
  | PacedAppendJob
  | LiveJob
  | FillJob
  | ReplayJob;

export interface LoadResult {
  readonly calls: number;
  readonly events: number;
  readonly seconds: number;
  readonly retries: number;
  readonly latency: LatencySummary;
  /** Events of each whole second of a closed loop. */
  readonly eventsEachSecond?: readonly number[];
  /** What a reader should know of this run. */
  readonly note?: string;
}
