import { formatTimestamp, micros } from '@allsource/shared/model';
import type { Projection } from '../projections/projection.ts';

/** How far the projections of the store are; all of them are folded together. */
export interface BuiltInProgress {
  readonly position: number;
  readonly knownHead: number;
  /** False until they have once reached the end of the log. */
  readonly hasCaughtUp: boolean;
  /** What keeps them from going on; null when nothing does. */
  readonly fault: string | null;
  /** How long ago the first event that they lack was recorded, in milliseconds; null where that is not known. */
  readonly behindMs: number | null;
  /** When they were begun, in milliseconds since the epoch. */
  readonly createdMs: number;
}

/** A projection of the store itself: what it is, and how far it is. */
export function builtInRow(projection: Projection, progress: BuiltInProgress) {
  const { name, title, kind, description } = projection;
  const { position, fault } = progress;
  const createdAt = formatTimestamp(micros(progress.createdMs * 1000));
  const lag = Math.max(0, progress.knownHead - position);
  const stalledReason = lag === 0 ? null : fault;
  return {
    id: name,
    name,
    title,
    type: kind,
    kind,
    status: progress.hasCaughtUp ? 'running' : 'rebuilding',
    detail: stalledReason,
    version: 1,
    description,
    definition: description,
    event_types: [],
    initial_state: {},
    created_at: createdAt,
    updated_at: createdAt,
    position,
    lag_events: lag,
    lag_seconds: lag === 0 ? 0 : Math.round((progress.behindMs ?? 0) / 100) / 10,
    is_stalled: stalledReason !== null,
    stalled_reason: stalledReason,
    parked_entities: 0,
    error_count: 0,
  };
}
