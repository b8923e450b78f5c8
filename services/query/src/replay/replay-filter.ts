import type { Micros } from '@allsource/shared/model';
import type { FrameEvent } from '@allsource/shared/protocol';
import type { Projection } from '../projections/projection.ts';

/** Which events a replay folds; what is null does not restrict it. Both times speak of `timestamp` and are inclusive. */
export interface ReplayFilter {
  readonly entity: string | null;
  readonly types: readonly string[] | null;
  readonly from: Micros | null;
  readonly to: Micros | null;
}

/** What a replay may replace in a projection: all of its states, those of some keys, or none because its filter leaves out events of every key. */
export type ReplayScope =
  | { readonly kind: 'all' }
  | { readonly kind: 'keys'; readonly keys: readonly string[] }
  | { readonly kind: 'none' };

export function isUnfiltered({ entity, types, from, to }: ReplayFilter): boolean {
  return entity === null && types === null && from === null && to === null;
}

/**
 * What the states computed under a filter can stand for. A state is replaced only by one that was computed from every event of its key: an
 * entity filter gives whole snapshots of that entity, a type filter whole counters of those types. Everything else is less than what readers have.
 */
export function replayScope(projection: Projection, filter: ReplayFilter): ReplayScope {
  if (isUnfiltered(filter)) return { kind: 'all' };
  const { entity, types, from, to } = filter;
  if (from === null && to === null) {
    if (projection.keyedBy === 'entity' && entity !== null && types === null)
      return { kind: 'keys', keys: [entity] };
    if (projection.keyedBy === 'type' && types !== null && entity === null)
      return { kind: 'keys', keys: types };
  }
  return { kind: 'none' };
}

/** True for the events that a filter means. */
export function eventMatcher(filter: ReplayFilter): (event: FrameEvent) => boolean {
  const { entity, from, to } = filter;
  if (isUnfiltered(filter)) return () => true;
  const types = filter.types === null ? null : new Set(filter.types);
  return (event) =>
    (entity === null || event.entity === entity) &&
    (types === null || types.has(event.type)) &&
    (from === null || event.timestamp >= from) &&
    (to === null || event.timestamp <= to);
}
