import {
  listMember,
  optionalNumber,
  optionalText,
  textMember,
  type WireObject,
} from '../http/wire.ts';

/** A projection that the store keeps, and what it does at the moment. */
export interface ProjectionInfo {
  readonly name: string;
  readonly type: string | null;
  /** `created`, `running`, `paused`, `failed`, `stopped` or `rebuilding`. */
  readonly status: string | null;
  readonly description: string | null;
  /** Everything up to this place of the log is in its states; null where the store does not say. */
  readonly position: number | null;
  /** How far it is behind; null where nobody knows. */
  readonly lagEvents: number | null;
  readonly lagSeconds: number | null;
  /** Behind, and without progress for a while; the reason says why. */
  readonly isStalled: boolean;
  readonly stalledReason: string | null;
}

export type ProjectionType =
  | 'entity_snapshot'
  | 'event_counter'
  | 'time_series'
  | 'funnel'
  | 'custom';

/** What can be said of a projection; what is left out has the store's default, or stays as it is. */
export interface ProjectionChange {
  readonly type?: ProjectionType | undefined;
  /** Exact types, or prefixes such as `order.*`; none: all. */
  readonly eventTypes?: readonly string[] | undefined;
  /** What the type needs to know: buckets, steps, a function. It is JSON, in the words of the guide to projections. */
  readonly definition?: unknown;
  readonly description?: string | undefined;
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  readonly config?:
    | {
        readonly batchSize?: number | undefined;
        readonly enableCheckpoints?: boolean | undefined;
        readonly checkpointInterval?: number | undefined;
        readonly parallelProcessing?: boolean | undefined;
        readonly maxConcurrency?: number | undefined;
      }
    | undefined;
  /** What is done with an event that cannot be folded. */
  readonly onFault?:
    | {
        readonly policy?: 'park' | 'pause' | 'skip' | undefined;
        readonly retries?: number | undefined;
      }
    | undefined;
}

/** A projection to create. */
export interface NewProjection extends ProjectionChange {
  readonly name: string;
  readonly type: ProjectionType;
  /** Begin at once; otherwise it waits for a start. */
  readonly start?: boolean | undefined;
}

export type ProjectionCommand = 'start' | 'pause' | 'stop' | 'rebuild' | 'rollback';

/** The body of a creation or a change. */
export function projectionBody(projection: ProjectionChange | NewProjection): object {
  const { eventTypes, config, onFault, ...rest } = projection;
  return {
    ...rest,
    event_types: eventTypes,
    config: config && {
      batch_size: config.batchSize,
      enable_checkpoints: config.enableCheckpoints,
      checkpoint_interval: config.checkpointInterval,
      parallel_processing: config.parallelProcessing,
      max_concurrency: config.maxConcurrency,
    },
    on_fault: onFault,
  };
}

/** The path of one projection. */
export function projectionPath(name: string): string {
  return `/api/v1/projections/${encodeURIComponent(name)}`;
}

/** Reads the answer of `GET /api/v1/projections`. */
export function parseProjections(answer: WireObject): ProjectionInfo[] {
  return listMember(answer, 'projections').map(parseProjection);
}

/** Reads one projection. */
export function parseProjection(row: WireObject): ProjectionInfo {
  return {
    name: textMember(row, 'name'),
    type: optionalText(row, 'type') ?? optionalText(row, 'kind'),
    status: optionalText(row, 'status'),
    description: optionalText(row, 'description'),
    position: optionalNumber(row, 'position'),
    lagEvents: optionalNumber(row, 'lag_events'),
    lagSeconds: optionalNumber(row, 'lag_seconds'),
    isStalled: row['is_stalled'] === true,
    stalledReason: optionalText(row, 'stalled_reason'),
  };
}
