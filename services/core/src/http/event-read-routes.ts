import type { Call, Route } from '@allsource/service-kit/http';
import { ReaderGone } from '@allsource/service-kit/turns';
import { parseEventQuery, positionedEventJson, streamFormatOf } from '@allsource/shared/protocol';
import type { DurableLog } from '../read/durable-log.ts';
import type { EntityPage, EntityQuery, EntityReader } from '../read/entity-reader.ts';
import { findEvent } from '../read/event-finder.ts';
import type { FrameReader } from '../read/frame-reader.ts';
import { answerJsonParts, jsonElements } from './answer-json-parts.ts';
import type { QueryForward } from './forwarded-routes.ts';

export interface EventReadRoutesOptions {
  readonly log: DurableLog;
  readonly frames: FrameReader;
  readonly entities: EntityReader;
  /** Takes the queries over many entities. */
  readonly forward: QueryForward;
}

/** The reads of events that core answers itself: the history of one entity, and one event by its id. */
export function eventReadRoutes(options: EventReadRoutesOptions): Route[] {
  return [
    {
      method: 'GET',
      path: '/api/v1/events/query',
      needs: 'read',
      summary: 'Events by entity, type, time and payload.',
      handle: (call) => queryEvents(call, options),
    },
    {
      method: 'GET',
      path: '/api/v1/events/:eventId',
      needs: 'read',
      summary: 'One event by its id.',
      handle: (call) => getEvent(call, options),
    },
  ];
}

async function queryEvents(call: Call, options: EventReadRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  // NDJSON and Arrow are the query service's, and so are the parameters that only they have.
  if (streamFormatOf(call.request.headers.accept) !== null) return await options.forward(call);
  const query = parseEventQuery(call.query);
  // Cursors and plans are the query service's: page one again, without a word, would be read for ever.
  const isForReadStore =
    call.query.text('cursor') !== null || call.query.flag('explain') === true || isUpcast(call);
  const { entity } = query;
  if (entity === null || isForReadStore || options.entities.isLarge(tenant, entity))
    return await options.forward(call);
  const page = await pageOf(call, options.entities, { tenant, entity, query });
  if (page !== null) await answerJsonParts(call, queryParts(page));
}

/** Null when its reader has gone meanwhile, so that there is nobody to answer. */
async function pageOf(
  { response }: Call,
  entities: EntityReader,
  asked: Omit<EntityQuery, 'isAbandoned'>,
): Promise<EntityPage | null> {
  try {
    return await entities.page({ ...asked, isAbandoned: () => response.closed });
  } catch (error) {
    if (error instanceof ReaderGone) return null;
    throw error;
  }
}

/** Payloads in another form than they are stored are the query service's. */
function isUpcast({ query }: Call): boolean {
  const asked = query.text('upcast');
  return asked !== null && asked !== 'false';
}

async function* queryParts(page: EntityPage): AsyncGenerator<string> {
  yield '{"events":[';
  yield* jsonElements(page.events(), positionedEventJson);
  const { page: rows, totalCount, hasMore, version } = page;
  yield `],"count":${rows.length},"total_count":${totalCount},"has_more":${hasMore},"entity_version":${version}}`;
}

async function getEvent(call: Call, options: EventReadRoutesOptions): Promise<void> {
  if (isUpcast(call)) return await options.forward(call);
  const event = await findEvent(options, call.tenant(), call.pathParameter('eventId'));
  call.json(200, `{"event":${positionedEventJson(event)},"found":true}`);
}
