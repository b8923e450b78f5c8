import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Catalog } from '../catalog/catalog.ts';
import type { EventHistory } from '../history/event-history.ts';
import { isUnfiltered, type ReplayFilter } from './replay-filter.ts';

export interface CountedHistory {
  readonly history: EventHistory;
  readonly catalog: Catalog;
}

/** How many events of a tenant a filter means, as far as the history knows. The event loop turns between stretches of the history. */
export async function countMatching(
  { history, catalog }: CountedHistory,
  tenant: string,
  filter: ReplayFilter,
): Promise<number> {
  if (isUnfiltered(filter)) return catalog.tenant(tenant).eventCount;
  const { entity, types, from, to } = filter;
  const untilPosition = history.appliedPosition;
  let count = 0;
  for (const type of types ?? [undefined]) {
    const selection = {
      tenant,
      entity: entity ?? undefined,
      type,
      since: from ?? undefined,
      until: to ?? undefined,
      untilPosition,
    };
    for (const { rows } of history.matches(selection)) {
      count += rows.length;
      await nextTurn();
    }
  }
  return count;
}
