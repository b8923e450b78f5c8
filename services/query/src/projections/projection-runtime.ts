/**
 * What carries out the projections of tenants, as the routes see it. What is wanted comes as definitions, from the log; what is, is asked here. So every command is a
 * changed definition, and the runtime makes what is there agree with it, again after each restart.
 */
import type { Position } from '@allsource/shared/model';
import type { ProjectionDefinition } from '@allsource/shared/protocol';

/**
 * What a projection does at the moment: as the definition wants it, or `failed` (it stopped at an event that cannot be folded, or its definition cannot be
 * carried out) or `rebuilding` (its first build has not caught up, or a newer one is being made).
 */
export type ProjectionStatus =
  | 'created'
  | 'running'
  | 'paused'
  | 'failed'
  | 'stopped'
  | 'rebuilding';

/** A build of a projection: its states as one number of its definition computes them. */
export interface ProjectionBuild {
  readonly build: number;
  /** `building` until it has caught up; `live` is the one that is read; `kept` can be rolled back to. */
  readonly status: 'building' | 'live' | 'kept' | 'failed';
  readonly position: Position;
  readonly rows: number;
  /** How it differed from the build that it replaced; null before that, and for the first. */
  readonly compared: BuildComparison | null;
}

export interface BuildComparison {
  readonly rows_before: number;
  readonly rows_after: number;
  readonly sampled: number;
  readonly differing: number;
}

/** What has been done since the projection was created or reset. Instants are RFC 3339. */
export interface ProjectionStats {
  readonly events_processed: number;
  readonly last_event_at: string | null;
  readonly last_checkpoint_at: string | null;
  readonly error_count: number;
  readonly last_error: string | null;
  readonly last_error_at: string | null;
  readonly total_ms: number;
  readonly avg_us: number;
}

export interface ProjectionReport {
  readonly status: ProjectionStatus;
  /** What a person should know of the status, such as why it failed; null when there is nothing to say. */
  readonly detail: string | null;
  /** The position that the build that is read is true at. */
  readonly position: Position;
  /** Positions of the log between that and its head. */
  readonly lag_events: number;
  /** Age of the oldest event behind it that it has not folded; 0 when it has caught up. */
  readonly lag_seconds: number;
  readonly stats: ProjectionStats;
  readonly builds: readonly ProjectionBuild[];
  readonly parked_count: number;
  /** Why it makes no progress although it is behind; null while it does. */
  readonly stalled_reason: string | null;
}

/** The state of a key. `state` is JSON text. */
export interface ProjectionRow {
  readonly key: string;
  readonly state: string;
}

/** Rows of the build that is read, and the position they are all true at. */
export interface ProjectionPage {
  readonly rows: readonly ProjectionRow[];
  /** Rows with the prefix, those outside the window too. */
  readonly total: number;
  readonly position: Position;
}

export interface PageWindow {
  readonly prefix: string;
  readonly offset: number;
  readonly limit: number;
}

/** An entity whose events wait because one of them cannot be folded. */
export interface ParkedEntity {
  readonly entity: string;
  /** The event that failed. */
  readonly position: Position;
  readonly event_id: string;
  readonly event_type: string;
  readonly error: string;
  readonly attempts: number;
  readonly parked_at: string;
  /** Events of the entity that wait, the failed one among them. */
  readonly waiting: number;
}

export interface ParkedPage {
  readonly parked: readonly ParkedEntity[];
  readonly total: number;
}

/** Carries out projections. A projection is named by its tenant and its name; one that is not known gives null, nothing or 0. */
export interface ProjectionRuntime {
  /** Makes what is there agree with all definitions in force, of all tenants: what is in none of them is cleared away. Called behind each change. */
  reconcile(definitions: readonly ProjectionDefinition[]): void;
  /** Null for a projection that is not known yet. */
  status(tenant: string, name: string): ProjectionReport | null;
  /** The states of some keys, in their order; null for a key without one. All are true at the position. */
  read(
    tenant: string,
    name: string,
    keys: readonly string[],
  ): Promise<{ readonly states: readonly (string | null)[]; readonly position: Position }>;
  page(tenant: string, name: string, window: PageWindow): Promise<ProjectionPage>;
  /** Resolves true once the build that is read has applied `position`, false when the signal aborts first. */
  waitFor(tenant: string, name: string, position: Position, signal: AbortSignal): Promise<boolean>;
  parked(
    tenant: string,
    name: string,
    window: { readonly offset: number; readonly limit: number },
  ): Promise<ParkedPage>;
  /** Tries the parked events of an entity again, or those of all (null). Resolves with the number of entities that flow again and still wait. */
  retryParked(
    tenant: string,
    name: string,
    entity: string | null,
  ): Promise<{ readonly resumed: number; readonly parked: number }>;
  close(): Promise<void>;
}
