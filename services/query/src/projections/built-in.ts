import { entitySnapshots } from './entity-snapshots.ts';
import { eventCounters } from './event-counters.ts';
import type { Projection } from './projection.ts';

/** The projections that every tenant has. Their names cannot be used for states that clients save. */
export const BUILT_IN_PROJECTIONS: readonly Projection[] = [entitySnapshots, eventCounters];

/** The built-in projection of a name, or null. */
export function builtInProjection(name: string): Projection | null {
  return BUILT_IN_PROJECTIONS.find((projection) => projection.name === name) ?? null;
}
