/**
 * Events of one tenant. Fixed paths stand before `/events/:eventId`; routes of others below `/events/` that take GET (the live streams) have to be
 * registered before these.
 */
import { type Call, Parameters, type Route } from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { isUuid, positionOfEventId, quoted } from '@allsource/shared/model';
import { type EventQuery, parseEventQuery } from '@allsource/shared/protocol';
import type { Catalog } from '../catalog/catalog.ts';
import type { TenantCatalog } from '../catalog/tenant-catalog.ts';
import { API_BASES } from '../gateway/api-path.ts';
import type { EventHistory, StoredEvent } from '../history/event-history.ts';
import { writeEvent, writePage } from '../reads/event-output.ts';
import { JsonWriter } from '../reads/json-writer.ts';
import { budgetOf, type QueryLimits } from '../reads/query-budget.ts';
import { cursorAfter, readCursor } from '../reads/query-cursor.ts';
import { readEvents } from '../reads/read-events.ts';
import { type ReadGate, stampPosition } from '../reads/read-gate.ts';

export interface EventRoutesOptions {
  readonly history: EventHistory;
  readonly catalog: Catalog;
  readonly gate: ReadGate;
  /** What one query may cost; the defaults when left out. */
  readonly limits?: QueryLimits;
}

const RECENT_DEFAULT = 20;
/** Other names that clients use, and ours. */
const PARAMETER_ALIASES = [
  ['stream_id', 'entity_id'],
  ['start', 'since'],
  ['end', 'until'],
] as const;

/** Queries over events, single events and the lists that older clients ask for. */
export function eventRoutes(options: EventRoutesOptions): Route[] {
  return [
    ...route('/query', 'Events by entity, type, time and payload.', (call) =>
      answerQuery(call, options),
    ),
    ...route('/recent', 'The newest events, newest first.', (call) =>
      answerList(call, options, {
        query: (parameters) => ({
          ...parseEventQuery(parameters, RECENT_DEFAULT),
          order: parameters.text('order') === null ? 'desc' : parseEventQuery(parameters).order,
        }),
      }),
    ),
    ...route('/entity/:entityId', 'The events of an entity.', (call) => {
      const entity = call.pathParameter('entityId');
      return answerList(call, options, {
        query: (parameters) => ({ ...parseEventQuery(parameters), entity }),
        extra: `,"entity_id":${JSON.stringify(entity)}`,
      });
    }),
    ...route('/type/:eventType', 'The events of a type.', (call) => {
      const type = call.pathParameter('eventType');
      return answerList(call, options, {
        query: (parameters) => ({ ...parseEventQuery(parameters), type }),
        extra: `,"event_type":${JSON.stringify(type)}`,
      });
    }),
    ...route('', 'Events as a list in a data member.', (call) =>
      answerList(call, options, {
        query: (parameters) => parseEventQuery(parameters, LIMITS.pageEventsDefault),
      }),
    ),
    ...route('/:eventId', 'One event.', (call) => answerEvent(call, options)),
  ];
}

function route(path: string, summary: string, handle: Route['handle']): Route[] {
  return API_BASES.map((base) => ({
    method: 'GET',
    path: `${base}/events${path}`,
    needs: 'read',
    summary,
    handle,
  }));
}

/** Never a `data` member beside `events`: clients take either name for the same field and refuse both. */
async function answerQuery(call: Call, options: EventRoutesOptions): Promise<void> {
  await answerPage(call, options, {
    list: 'events',
    query: parseEventQuery(call.query),
    namesVersion: true,
    extra: '',
    end: '',
  });
}

interface ListForm {
  readonly query: (parameters: Parameters) => EventQuery;
  /** Members of the answer besides the usual ones. */
  readonly extra?: string;
}

async function answerList(call: Call, options: EventRoutesOptions, form: ListForm): Promise<void> {
  await answerPage(call, options, {
    list: 'data',
    query: form.query(aliasedParameters(call)),
    namesVersion: false,
    extra: form.extra ?? '',
    end: `,"_links":{"self":{"href":${JSON.stringify(call.request.originalUrl)}}}`,
  });
}

function aliasedParameters(call: Call): Parameters {
  const { originalUrl } = call.request;
  const start = originalUrl.indexOf('?');
  const values = new URLSearchParams(start === -1 ? '' : originalUrl.slice(start + 1));
  for (const [alias, name] of PARAMETER_ALIASES) {
    const value = values.get(alias);
    if (value !== null && !values.has(name)) values.set(name, value);
  }
  return new Parameters(values);
}

interface PageForm {
  readonly query: EventQuery;
  /** The member that holds the events. */
  readonly list: 'events' | 'data';
  /** Whether an answer about one entity names its version. */
  readonly namesVersion: boolean;
  /** Further members, before and behind the position. */
  readonly extra: string;
  readonly end: string;
}

// oxlint-disable-next-line eslint/max-params -- the call, the stores and the form of the answer.
async function answerPage(call: Call, options: EventRoutesOptions, form: PageForm): Promise<void> {
  const tenant = call.tenant();
  const { query } = form;
  const cursor = call.query.text('cursor');
  const after = cursor === null ? null : readCursor(cursor, { tenant, query });
  if (after !== null && query.offset > 0) throw offsetBesideCursor();
  const isExplained = call.query.flag('explain') === true;
  await options.gate.admit(call);
  const untilPosition = stampPosition(call, options.history.appliedPosition);
  const version = versionMember(options.catalog.tenant(tenant), form);
  const budget = budgetOf(call, options.limits);
  const page = await readEvents(options.history, { tenant, query, after, untilPosition, budget });
  await writePage(new JsonWriter(call.response), page, {
    head: `{"${form.list}":[`,
    tail: () => {
      const { count, totalCount, hasMore, last } = page;
      const next =
        hasMore && last !== null ? `,"next_cursor":"${cursorAfter(last, { tenant, query })}"` : '';
      const explained = isExplained
        ? `,"explain":${JSON.stringify(page.explanation.shown(budget))}`
        : '';
      return `],"count":${count},"total_count":${totalCount},"has_more":${hasMore}${next}${version}${form.extra}${explained},"position":${untilPosition}${form.end}}`;
    },
  });
}

function versionMember(counts: TenantCatalog, { query, namesVersion }: PageForm): string {
  if (!namesVersion || query.entity === null) return '';
  return `,"entity_version":${counts.entityEventCount(query.entity)}`;
}

function offsetBesideCursor(): Error {
  return problem(
    'invalid_parameter',
    "'offset' cannot stand beside 'cursor': a cursor says itself where the page begins.",
    { parameter: 'offset' },
  );
}

async function answerEvent(call: Call, options: EventRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const id = call.pathParameter('eventId');
  if (!isUuid(id)) {
    throw problem('invalid_parameter', `Event id ${quoted(id)} is not a UUID.`, {
      parameter: 'event_id',
    });
  }
  await options.gate.admit(call);
  stampPosition(call, options.history.appliedPosition);
  const event = eventOf(options.history, tenant, id);
  if (event === null) throw problem('event_not_found', `Event ${quoted(id)} not found`);
  const writer = new JsonWriter(call.response);
  writer.text('{"event":');
  writeEvent(writer, event);
  writer.text(',"found":true,"data":');
  writeEvent(writer, event);
  writer.text('}');
  writer.end();
}

/** An id leads to a position; the event there is the one only if it bears this id and belongs to the tenant. */
function eventOf(history: EventHistory, tenant: string, id: string): StoredEvent | null {
  const position = positionOfEventId(id);
  const event = position === null ? null : history.eventAt(tenant, position);
  return event?.id === id.toLowerCase() ? event : null;
}
