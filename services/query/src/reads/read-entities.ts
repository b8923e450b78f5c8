import type { Position } from '@allsource/shared/model';
import type { PayloadFilter } from '@allsource/shared/protocol';
import type { Catalog } from '../catalog/catalog.ts';
import type { WindowBounds } from '../catalog/sorted-window.ts';
import {
  countedColumns,
  type EntityPage,
  type RowCounter,
  TenantCatalog,
} from '../catalog/tenant-catalog.ts';
import type { EventHistory } from '../history/event-history.ts';
import type { EventRun } from '../history/event-run.ts';
import { defaultBudget, type QueryBudget } from './query-budget.ts';
import { visitMatches } from './visit-matches.ts';

/** Which events make an entity part of the list; only they are counted. */
export interface CountedEvents {
  readonly tenant: string;
  readonly typePrefix: string | null;
  readonly payloadFilter: PayloadFilter | null;
  readonly untilPosition: Position;
  /** What finding them may cost; the defaults when left out. */
  readonly budget?: QueryBudget;
}

export interface EntitiesWanted extends CountedEvents {
  readonly order: 'asc' | 'desc';
  readonly window: WindowBounds;
}

/** Lists entities by the time of their last event. Without a filter the catalog has the answer. */
export async function readEntities(
  store: { readonly history: EventHistory; readonly catalog: Catalog },
  wanted: EntitiesWanted,
): Promise<EntityPage> {
  const { budget = defaultBudget() } = wanted;
  const isFiltered = wanted.typePrefix !== null || wanted.payloadFilter !== null;
  const counts = isFiltered
    ? await countEvents(store.history, { ...wanted, budget })
    : store.catalog.tenant(wanted.tenant);
  return counts.entities(wanted.order, wanted.window, budget);
}

/** Counts the events meant, by entity and type. */
export async function countEvents(
  history: EventHistory,
  { tenant, typePrefix, payloadFilter, untilPosition, budget = defaultBudget() }: CountedEvents,
): Promise<TenantCatalog> {
  const counts = new TenantCatalog(tenant);
  const selection = { tenant, typePrefix: typePrefix ?? undefined, untilPosition };
  let current: { readonly run: EventRun; readonly count: RowCounter } | null = null;
  await visitMatches(history, { selection, payloadFilter, budget }, ({ run, rows }) => {
    if (current?.run !== run) current = { run, count: counts.counter(run.source) };
    const columns = countedColumns(run.source);
    for (const row of rows) current.count(row, columns);
  });
  return counts;
}
