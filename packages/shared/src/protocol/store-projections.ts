/** The projections that the query service keeps for every tenant. Clients keep states of their own under other names, at core. */
export const STORE_PROJECTIONS = ['entity_snapshots', 'event_counters'] as const;

export type StoreProjection = (typeof STORE_PROJECTIONS)[number];

/** True for the name of a projection of the store itself. */
export function isStoreProjection(name: string): name is StoreProjection {
  return STORE_PROJECTIONS.some((known) => known === name);
}
