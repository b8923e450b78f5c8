/**
 * Events of one tenant. Fixed paths stand before `/events/:eventId`; routes of others below `/events/` that take GET (the live streams) have to be
 * registered before these.
 */
import type { Route } from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { isUuid, positionOfEventId, quoted } from '@allsource/shared/model';
import { Parameters, parseEventQuery, queryOfUrl } from '@allsource/shared/protocol';
import { API_BASES } from '../gateway/api-path.ts';
import { refuseOfStreams } from '../formats/asked-stream.ts';
import type { EventHistory, StoredEvent } from '../history/event-history.ts';
import { writeEvent } from '../reads/event-output.ts';
import { JsonWriter } from '../reads/json-writer.ts';
import type { ReadCall } from '../reads/read-call.ts';
import { readWish, stampPosition } from '../reads/read-gate.ts';
import { writeUpcastEvent } from '../schemas/upcast-output.ts';
import { askedUpcast, beginUpcast, type UpcastReading } from '../schemas/upcasting.ts';
import { EventPages, type EventPagesOptions, type PageForm } from './event-pages.ts';

export type EventRoutesOptions = EventPagesOptions;

/** A read that needs no more of its call than the read lane has. */
export interface EventRoute extends Route {
  readonly handle: (call: ReadCall) => Promise<void>;
}

const RECENT_DEFAULT = 20;
/** Other names that clients use, and ours. */
const PARAMETER_ALIASES = [
  ['stream_id', 'entity_id'],
  ['start', 'since'],
  ['end', 'until'],
] as const;

const QUERY: PageForm = {
  list: 'events',
  query: (call) => {
    refuseOfStreams(call.query);
    return parseEventQuery(call.query);
  },
  namesVersion: true,
};

/** The lists that older clients ask for. */
const LIST = {
  list: 'data',
  namesVersion: false,
  end: ({ request }: ReadCall) =>
    `,"_links":{"self":{"href":${JSON.stringify(request.originalUrl)}}}`,
} as const;

const ALL: PageForm = {
  ...LIST,
  query: (call) => parseEventQuery(aliasedParameters(call), LIMITS.pageEventsDefault),
};

const RECENT: PageForm = {
  ...LIST,
  query: (call) => {
    const query = parseEventQuery(aliasedParameters(call), RECENT_DEFAULT);
    return call.query.text('order') === null ? { ...query, order: 'desc' } : query;
  },
};

const OF_ENTITY: PageForm = {
  ...LIST,
  query: (call) => {
    const query = parseEventQuery(aliasedParameters(call));
    const entity = call.pathParameter('entityId');
    requireSame('entity_id', query.entity, entity);
    return { ...query, entity };
  },
  extra: (call) => `,"entity_id":${JSON.stringify(call.pathParameter('entityId'))}`,
};

const OF_TYPE: PageForm = {
  ...LIST,
  query: (call) => {
    const query = parseEventQuery(aliasedParameters(call));
    const type = call.pathParameter('eventType');
    requireSame('event_type', query.type, type);
    return { ...query, type };
  },
  extra: (call) => `,"event_type":${JSON.stringify(call.pathParameter('eventType'))}`,
};

/** Queries over events, single events and the lists that older clients ask for. */
export function eventRoutes(options: EventRoutesOptions): EventRoute[] {
  const pages = new EventPages(options);
  const page = (form: PageForm) => (call: ReadCall) => pages.answer(call, form);
  return [
    ...route('/query', 'Events by entity, type, time and payload.', page(QUERY)),
    ...route('/recent', 'The newest events, newest first.', page(RECENT)),
    ...route('/entity/:entityId', 'The events of an entity.', page(OF_ENTITY)),
    ...route('/type/:eventType', 'The events of a type.', page(OF_TYPE)),
    ...route('', 'Events as a list in a data member.', page(ALL)),
    ...route('/:eventId', 'One event.', (call) => answerEvent(call, options)),
  ];
}

function route(path: string, summary: string, handle: EventRoute['handle']): EventRoute[] {
  return API_BASES.map((base) => ({
    method: 'GET',
    path: `${base}/events${path}`,
    needs: 'read',
    summary,
    handle,
  }));
}

function aliasedParameters({ request }: ReadCall): Parameters {
  const values = queryOfUrl(request.originalUrl);
  const parameters = new Parameters(values);
  for (const [alias, name] of PARAMETER_ALIASES) {
    const value = parameters.name(alias);
    const own = parameters.name(name);
    if (value === null || value === own) continue;
    if (own !== null)
      throw contradiction(
        alias,
        `'${alias}' is ${quoted(value)} and '${name}', which means the same, is ${quoted(own)}`,
      );
    values.set(name, value);
  }
  return parameters;
}

function requireSame(parameter: string, asked: string | null, inPath: string): void {
  if (asked === null || asked === inPath) return;
  throw contradiction(
    parameter,
    `'${parameter}' is ${quoted(asked)}, and the path names ${quoted(inPath)}`,
  );
}

function contradiction(parameter: string, fact: string): Error {
  return problem('invalid_parameter', `${fact}. Leave one of them out.`, { parameter });
}

async function answerEvent(call: ReadCall, options: EventRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  const id = call.pathParameter('eventId');
  if (!isUuid(id)) {
    throw problem('invalid_parameter', `Event id ${quoted(id)} is not a UUID.`, {
      parameter: 'event_id',
    });
  }
  const wish = readWish(call.query);
  await options.gate.pass(wish);
  const upcast = askedUpcast(call.query);
  const reading = await beginUpcast(options.upcasting, { upcast, wish });
  stampPosition(call, options.history.appliedPosition);
  const event = eventOf(options.history, tenant, id);
  if (event === null) throw problem('event_not_found', `Event ${quoted(id)} not found`);
  const write = await eventWriter(event, reading);
  const writer = new JsonWriter(call.response);
  writer.text('{"event":');
  write(writer);
  writer.text(',"found":true,"data":');
  write(writer);
  writer.text('}');
  writer.end();
}

/** Writes the event in the form asked for, as often as it is called. */
async function eventWriter(
  event: StoredEvent,
  reading: UpcastReading | null,
): Promise<(writer: JsonWriter) => void> {
  if (reading === null) return (writer) => writeEvent(writer, event);
  const upcast = await reading.required(event);
  return (writer) => writeUpcastEvent(writer, event, { upcast });
}

/** An id leads to a position; the event there is the one only if it bears this id and belongs to the tenant. */
function eventOf(history: EventHistory, tenant: string, id: string): StoredEvent | null {
  const position = positionOfEventId(id);
  const event = position === null ? null : history.eventAt(tenant, position);
  return event?.id === id.toLowerCase() ? event : null;
}
