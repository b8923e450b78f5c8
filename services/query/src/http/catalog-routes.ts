import type { Call, Route } from '@allsource/service-kit/http';
import { formatTimestamp } from '@allsource/shared/model';
import type { Catalog } from '../catalog/catalog.ts';
import type { EntityEntry } from '../catalog/entity-rows.ts';
import type { WindowBounds } from '../catalog/sorted-window.ts';
import type { TypeEntry } from '../catalog/type-tally.ts';
import { API_BASES } from '../gateway/api-path.ts';
import type { EventHistory } from '../history/event-history.ts';
import { JsonWriter } from '../reads/json-writer.ts';
import { budgetOf, type QueryLimits } from '../reads/query-budget.ts';
import { type ReadGate, stampPosition } from '../reads/read-gate.ts';
import { hasMoreBehind, windowParameters } from '../reads/window-parameters.ts';

export interface CatalogRoutesOptions {
  readonly history: EventHistory;
  readonly catalog: Catalog;
  readonly gate: ReadGate;
  /** What one query may cost; the defaults when left out. */
  readonly limits?: QueryLimits;
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
  const budget = budgetOf(call, options.limits);
  // The page is of the turn in which it is asked for, and so is the position.
  const position = stampPosition(call, options.history.appliedPosition);
  const page = await options.catalog.tenant(tenant).entities('desc', window, budget);
  const rows = { name: 'streams', rows: page.rows, write: streamText };
  await writePage(call, rows, pageEnd(window, { ...page, position }));
}

function streamText({ entity, eventCount, lastTimestamp }: EntityEntry): string {
  return JSON.stringify({
    stream_id: entity,
    event_count: eventCount,
    last_event_at: formatTimestamp(lastTimestamp),
  });
}

async function answerEventTypes(call: Call, options: CatalogRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const window = windowParameters(call);
  await options.gate.admit(call);
  const budget = budgetOf(call, options.limits);
  const position = stampPosition(call, options.history.appliedPosition);
  const page = await options.catalog.tenant(tenant).types(window, budget);
  const rows = { name: 'event_types', rows: page.rows, write: typeText };
  await writePage(call, rows, pageEnd(window, { ...page, position }));
}

function typeText({ type, eventCount, lastTimestamp }: TypeEntry): string {
  return JSON.stringify({
    event_type: type,
    event_count: eventCount,
    last_event_at: formatTimestamp(lastTimestamp),
  });
}

interface PageFacts {
  readonly rows: { readonly length: number };
  readonly total: number;
  readonly position: number;
}

function pageEnd(window: WindowBounds, { rows, total, position }: PageFacts): string {
  const hasMore = hasMoreBehind(window, rows.length, total);
  return `"count":${rows.length},"total":${total},"has_more":${hasMore},"position":${position}}`;
}

interface PageRows<T> {
  readonly name: string;
  readonly rows: Iterable<T>;
  readonly write: (row: T) => string;
}

/** The rows stand under both names: core's clients read the first, the gateway's older clients read `data`. */
async function writePage<T>(call: Call, page: PageRows<T>, end: string): Promise<void> {
  const writer = new JsonWriter(call.response);
  writer.text('{');
  for (const name of [page.name, 'data']) {
    writer.text(`"${name}":[`);
    let separator = '';
    for (const row of page.rows) {
      writer.text(separator + page.write(row));
      separator = ',';
      if (writer.isFull && !(await writer.flush())) return;
    }
    writer.text('],');
  }
  writer.text(end);
  writer.end();
}
