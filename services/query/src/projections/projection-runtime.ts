/**
 * What carries out the projections of tenants, as its callers see it: the routes, the gate of reads, the metrics.
 *
 * Whoever folds the definitions out of the log hands all of them over with each change (`reconcile`); the runtime does what they say and knows what became of it. A build
 * is what one number of `build` computes, from the first event on. One build is live: it is read. A build that has not reached the end of the log once is never live
 * over one that has.
 *
 * A projection that failed tries again when its definition changes: a start is a definition written again, although it may want the same as before.
 */
import type { Position } from '@allsource/shared/model';
import type { ProjectionDefinition } from '@allsource/shared/protocol';

export type ProjectionStatus =
  | 'created'
  | 'running'
  | 'paused'
  | 'failed'
  | 'stopped'
  /** What is read is being built, or a newer build beside what is read. */
  | 'rebuilding';

/** Counted for each build since its first event. */
export interface ProjectionStats {
  /** Events folded, those that were skipped or parked included. */
  readonly events_processed: number;
  /** RFC 3339; null before the first. */
  readonly last_event_at: string | null;
  readonly last_checkpoint_at: string | null;
  /** Events that could not be folded, each counted once. */
  readonly error_count: number;
  readonly skipped_count: number;
  readonly last_error: string | null;
  readonly last_error_at: string | null;
  /** Time spent folding, in milliseconds, and for one event, in microseconds. */
  readonly total_ms: number;
  readonly avg_us: number;
}

/** How a build compares with the one that was read until then, both at the same position. */
export interface BuildComparison {
  /** The build that it was compared with. */
  readonly with_build: number;
  readonly position: number;
  readonly rows: number;
  readonly rows_before: number;
  /** Keys whose states were compared, and how many of them have the same state in both. */
  readonly keys_compared: number;
  readonly keys_equal: number;
  /** Some of the keys that differ. */
  readonly examples: readonly string[];
}

export type BuildStatus = 'building' | 'ready' | 'live' | 'previous' | 'failed';

export interface BuildInfo {
  readonly build: number;
  readonly status: BuildStatus;
  readonly position: number;
  readonly rows: number;
  readonly workers: number;
  /** Null while it has not been compared. */
  readonly compared: BuildComparison | null;
  /** Why it was made live without a comparison, or why it failed. */
  readonly note: string | null;
}

/** What a projection does at the moment. */
export interface ProjectionState {
  readonly status: ProjectionStatus;
  /** True when it has made no progress for 30 s while it is behind; the reason says what it waits for. */
  readonly is_stalled: boolean;
  readonly stalled_reason: string | null;
  /** Why it failed, with the position and the id of the event; null unless it has. */
  readonly failure: string | null;
  /** The build that is read; null while none can be. */
  readonly live_build: number | null;
  /** The position that is read is true at this position. */
  readonly position: number;
  /** Positions of the log that were not looked at yet: events of others included, which cost next to nothing. */
  readonly lag_events: number;
  /** How long ago the first event that it lacks was recorded. */
  readonly lag_seconds: number;
  readonly stats: ProjectionStats;
  readonly builds: readonly BuildInfo[];
  readonly parked_entities: number;
  readonly parked_events: number;
  /** How often the process that carries it out has ended without being told. */
  readonly restarts: number;
}

/** A state as its readers see it, as JSON text. */
export interface ShownState {
  readonly key: string;
  readonly state: string;
}

export interface StatesWanted {
  readonly key_prefix?: string | undefined;
  /** Keys behind this one. */
  readonly after?: string | undefined;
  readonly limit: number;
  readonly offset?: number | undefined;
}

/** One page of states in the order of their keys, out of one build. */
export interface StatesPage {
  readonly position: number;
  readonly build: number;
  readonly states: readonly ShownState[];
}

export interface ParkedEntity {
  readonly entity_id: string;
  /** The event that cannot be folded. */
  readonly position: number;
  readonly event_id: string;
  readonly event_type: string;
  readonly reason: string;
  readonly attempts: number;
  readonly parked_at: string;
  /** Events that wait, the one that cannot be folded included. */
  readonly events_waiting: number;
}

export interface ParkedPage {
  readonly parked: readonly ParkedEntity[];
  readonly total: number;
}

export interface SkippedEvent {
  readonly position: number;
  readonly event_id: string;
  readonly entity_id: string;
  readonly reason: string;
  readonly skipped_at: string;
}

/** What came of folding parked events again. */
export interface RetriedParked {
  readonly entities_freed: number;
  readonly events_folded: number;
  readonly entities_parked: number;
}

export interface ProjectionRuntime {
  /**
   * Carries out exactly these definitions from now on. It must be all of them: what is not among them is forgotten, with its files. So it is called only with definitions
   * that are true at the end of the log.
   */
  reconcile(definitions: readonly ProjectionDefinition[]): void;
  /** Null for a projection that it does not know. */
  status(tenant: string, name: string): ProjectionState | null;
  /**
   * The state of a key, null where it has none, and the position at which that is so. Throws `read_behind` with how far it is while there is no build that may be read,
   * `not_found` for a projection that it does not know.
   */
  read(
    tenant: string,
    name: string,
    key: string,
  ): { readonly position: number; readonly state: string | null };
  /** Throws as `read` does. A page holds the thread for about a microsecond for each row, those of the offset included. */
  page(tenant: string, name: string, wanted: StatesWanted): StatesPage;
  /** The keys of the states that `page` has, quicker than those. Throws as `read` does. */
  keys(
    tenant: string,
    name: string,
    wanted: StatesWanted,
  ): { readonly position: number; readonly keys: readonly string[] };
  /** How many keys have a state that is shown; null where only who goes through them can tell. Throws as `read` does. */
  count(tenant: string, name: string): number | null;
  /** Resolves true when what is read is true at the position, false when the signal ends the wait or nothing is being done that could bring it there. */
  waitFor(tenant: string, name: string, position: Position, signal: AbortSignal): Promise<boolean>;
  parked(
    tenant: string,
    name: string,
    page: { readonly limit: number; readonly offset: number },
  ): ParkedPage;
  /** The events that were skipped, the newest first; only the newest thousand are kept, all are counted. */
  skipped(tenant: string, name: string, limit: number): readonly SkippedEvent[];
  /** Folds the parked events of an entity, or of all, in their order. Throws `operation_conflict`-like problems where the projection does not run. */
  retryParked(tenant: string, name: string, entity: string | null): Promise<RetriedParked>;
  /** Deletes the files of a projection, which is begun again if it is still defined. */
  forget(tenant: string, name: string): Promise<void>;
  /** Resolves when everything is saved and all processes have ended. Idempotent. */
  close(): Promise<void>;
}
