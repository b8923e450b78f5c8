import type { Micros } from '@allsource/shared/model';
import type { ReplayFilter } from './replay-filter.ts';

export type ReplayStatus = 'pending' | 'running' | 'completed' | 'failed' | 'cancelled';

/** How a replay is carried out. */
export interface ReplayConfig {
  /** Events folded between two looks at whether it was cancelled. */
  readonly batchEvents: number;
  /** Processes, among which the keys are dealt out. */
  readonly workers: number;
  /** Events between two reports of progress; null: only at its stages. */
  readonly progressEvents: number | null;
}

/** What somebody asks for. */
export interface ReplayRequest {
  readonly tenant: string;
  /** The id of the key or user. */
  readonly initiatedBy: string;
  /** As it was given; null = all projections. */
  readonly projection: string | null;
  readonly filter: ReplayFilter;
  readonly config: ReplayConfig;
}

/** What a replay has done with one projection. */
export interface ReplayOutcome {
  readonly projection: string;
  /** Which states were replaced: all, those of the keys that the filter names, or none. */
  readonly replaced: 'all' | 'keys' | 'none';
  /** Keys that were given a state; null when they were counted before a restart. */
  readonly keyCount: number | null;
  /** Of a filtered replay: equal states have equal digests. */
  readonly digest: string | null;
}

/** Everything that is kept of a replay. Times are microseconds. */
export interface ReplayRecord {
  readonly id: string;
  readonly request: ReplayRequest;
  readonly status: ReplayStatus;
  readonly createdAt: Micros;
  readonly startedAt: Micros | null;
  readonly updatedAt: Micros;
  readonly completedAt: Micros | null;
  /** Matching events known of. */
  readonly totalEvents: number;
  readonly processedEvents: number;
  /** How long it has run, over all starts of the process. */
  readonly activeMs: number;
  /** Why it failed, or why it makes no progress at the moment. */
  readonly message: string | null;
  /** The generation that it builds; null before it begins and for a filtered one. */
  readonly generation: number | null;
  readonly outcomes: readonly ReplayOutcome[];
}

export function isEnded(status: ReplayStatus): boolean {
  return status !== 'pending' && status !== 'running';
}
