/**
 * What a projection of a tenant's own is: the document that its owner sends, as the log keeps it and as the query service carries it out. It is kept as system events,
 * so every service folds the same definitions, and it survives the loss of every read store.
 *
 * A definition says what is wanted; what a projection does at the moment (its status, its lag, its errors) is known by who carries it out. So a command is a changed
 * definition, durable before it is answered.
 */

/** What is computed. */
export const PROJECTION_TYPES = [
  'entity_snapshot',
  'event_counter',
  'time_series',
  'funnel',
  'custom',
] as const;
export type ProjectionType = (typeof PROJECTION_TYPES)[number];

/** What its owner wants it to do. */
export const WANTED_STATUSES = ['created', 'running', 'paused', 'stopped'] as const;
export type WantedStatus = (typeof WANTED_STATUSES)[number];

/** What is done with an event that cannot be folded after the retries. */
export const FAULT_POLICIES = ['pause', 'skip', 'park'] as const;
export type FaultPolicy = (typeof FAULT_POLICIES)[number];

/** How a projection is carried out. None of it changes what is computed. */
export interface ProjectionConfig {
  /** Events folded between two looks at commands. */
  readonly batch_size: number;
  /** False: its state is saved when it stops and at the end of a catch-up, and a crash costs what was folded since. */
  readonly enable_checkpoints: boolean;
  /** Events between two saves of state and position. */
  readonly checkpoint_interval: number;
  /** True: keys are dealt out by partition to up to `max_concurrency` workers; events of one entity stay in order. */
  readonly parallel_processing: boolean;
  readonly max_concurrency: number;
}

/** Retries, then the policy. */
export interface FaultHandling {
  readonly policy: FaultPolicy;
  /** Tries after the first one, with growing pauses between them. */
  readonly retries: number;
}

/** What a build before the newest one computes: what a rollback reads can be computed again when the read side is lost. */
export interface EarlierBuild {
  readonly build: number;
  readonly type: ProjectionType;
  readonly event_types: readonly string[];
  readonly definition: Readonly<Record<string, unknown>>;
}

/** A definition in force. */
export interface ProjectionDefinition {
  readonly tenant: string;
  readonly name: string;
  readonly type: ProjectionType;
  /** Exact types or `prefix.*`; empty: all events. */
  readonly event_types: readonly string[];
  readonly description: string | null;
  readonly metadata: Readonly<Record<string, unknown>> | null;
  readonly config: ProjectionConfig;
  readonly on_fault: FaultHandling;
  /** What the type needs to know: steps, buckets, a reducer. */
  readonly definition: Readonly<Record<string, unknown>>;
  readonly wanted: WantedStatus;
  /**
   * Counts what is computed: 1 at first, one more with each change of `type`, `event_types` or `definition` and with each rebuild. Each number is built from
   * the first event on, beside the one that is read.
   */
  readonly build: number;
  /** The build that is to be read although a newer one is there, after a rollback; null: the newest one that has caught up. */
  readonly pinned_build: number | null;
  /** The builds before `build` that a rollback may name, the newest first. */
  readonly earlier?: readonly EarlierBuild[];
  /** Positions of the system events that made it and last changed it. */
  readonly created_position: number;
  readonly changed_position: number;
  readonly created_at: string;
  readonly updated_at: string;
}
