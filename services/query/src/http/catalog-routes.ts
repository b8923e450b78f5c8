import type { Call, Route } from '@allsource/service-kit/http';
import { formatTimestamp } from '@allsource/shared/model';
import type { Catalog } from '../catalog/catalog.ts';
import type { CatalogPage } from '../catalog/tenant-catalog.ts';
import { API_BASES } from '../gateway/api-path.ts';
import type { EventHistory } from '../history/event-history.ts';
import { type ReadGate, stampPosition } from '../reads/read-gate.ts';
import { hasMoreBehind, windowParameters } from '../reads/window-parameters.ts';

export interface CatalogRoutesOptions {
  readonly history: EventHistory;
  readonly catalog: Catalog;
  readonly gate: ReadGate;
}

/** What a tenant has: its streams and its event types. */
export function catalogRoutes(options: CatalogRoutesOptions): Route[] {
  return API_BASES.flatMap((base): Route[] => [
    {
      method: 'GET',
      path: `${base}/streams`,
      needs: 'read',
      summary: 'Streams, the one with the newest activity first.',
      handle: (call) => answerStreams(call, options),
    },
    {
      method: 'GET',
      path: `${base}/event-types`,
      needs: 'read',
      summary: 'Event types, the most used first.',
      handle: (call) => answerEventTypes(call, options),
    },
  ]);
}

async function answerStreams(call: Call, options: CatalogRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const window = windowParameters(call);
  await options.gate.admit(call);
  const { rows, total } = await options.catalog.tenant(tenant).entities('desc', window);
  const streams = rows.map(({ entity, eventCount, lastTimestamp }) => ({
    stream_id: entity,
    event_count: eventCount,
    last_event_at: formatTimestamp(lastTimestamp),
  }));
  answerPage(call, options, { name: 'streams', page: { rows: streams, total } });
}

async function answerEventTypes(call: Call, options: CatalogRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const window = windowParameters(call);
  await options.gate.admit(call);
  const { rows, total } = options.catalog.tenant(tenant).types(window);
  const types = rows.map(({ type, eventCount, lastTimestamp }) => ({
    event_type: type,
    event_count: eventCount,
    last_event_at: formatTimestamp(lastTimestamp),
  }));
  answerPage(call, options, { name: 'event_types', page: { rows: types, total } });
}

/**
 * Called in the turn in which the rows were read: the catalog is folded in the turn in which the history grows, so they are true at the
 * history's position. The rows stand under both names: core's clients read the first, the gateway's older clients read `data`.
 */
function answerPage(
  call: Call,
  { history }: CatalogRoutesOptions,
  { name, page }: { readonly name: string; readonly page: CatalogPage<object> },
): void {
  const { rows, total } = page;
  const position = stampPosition(call, history.appliedPosition);
  const rowsText = JSON.stringify(rows);
  const hasMore = hasMoreBehind(windowParameters(call), rows.length, total);
  call.json(
    200,
    `{"${name}":${rowsText},"data":${rowsText},"count":${rows.length},"total":${total},"has_more":${hasMore},"position":${position}}`,
  );
}
