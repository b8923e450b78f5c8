/** Reading events. */
import { STREAM_MEDIA_TYPES } from '../../protocol/stream-format.ts';
import { constant, named, object, oneOf, whole } from '../json-schema.ts';
import {
  EVENT_QUERY,
  FRESHNESS,
  ORDER,
  PAGING,
  PATH_PARAMETERS,
  parameter,
  UNTIL,
  UPCAST,
  SINCE,
} from '../parameters.ts';
import { answer, body, type RouteDoc, type RouteDocs } from '../route-doc.ts';

const POSITION_MAX = Number.MAX_SAFE_INTEGER;
const READ_ERRORS = [
  'invalid_parameter',
  'query_budget_exceeded',
  'read_behind',
  'position_beyond_head',
  'read_store_damaged',
  'upstream_unavailable',
] as const;
const POSITION_HEADER = {
  'x-allsource-position': 'The position of the log at which the answer is true.',
};

/** The lists that older clients ask for; they know other names of some parameters. */
function listDoc(id: string, description: string): RouteDoc {
  return {
    id,
    tag: 'Events',
    description,
    query: {
      ...EVENT_QUERY,
      order: ORDER,
      ...PAGING,
      ...FRESHNESS,
      stream_id: parameter('Another name of `entity_id`.', { type: 'string' }),
      start: { ...SINCE, description: 'Another name of `since`.' },
      end: { ...UNTIL, description: 'Another name of `until`.' },
    },
    answers: {
      200: { ...answer('The events.', named('EventList')), headers: POSITION_HEADER },
    },
    errors: READ_ERRORS,
  };
}

export const EVENT_READS: RouteDocs = {
  'GET /events/query': {
    id: 'queryEvents',
    tag: 'Events',
    description:
      'Events by entity, type, time and payload; all conditions must hold. `Accept` chooses the form: JSON in pages, NDJSON or an Arrow IPC stream of any length.',
    query: {
      ...EVENT_QUERY,
      order: {
        ...ORDER,
        description:
          'By the time at which events happened; `position`, the order of the log, is for NDJSON and Arrow.',
        schema: oneOf(['asc', 'desc', 'position']),
      },
      from_position: parameter(
        'The first position, with `order=position`.',
        whole(undefined, { max: POSITION_MAX }),
      ),
      until_position: parameter(
        'The last position, with `order=position`.',
        whole(undefined, { max: POSITION_MAX }),
      ),
      ...PAGING,
      ...FRESHNESS,
    },
    answers: {
      200: {
        description: 'The events.',
        content: {
          'application/json': { schema: named('EventPage') },
          [STREAM_MEDIA_TYPES.ndjson]: { schema: named('PositionedEvent') },
          [STREAM_MEDIA_TYPES.arrow]: {},
        },
        headers: {
          ...POSITION_HEADER,
          'x-allsource-count': 'How many events a whole NDJSON or Arrow answer holds, where known.',
        },
      },
    },
    errors: [...READ_ERRORS, 'overloaded', 'not_available'],
  },
  'POST /query': {
    id: 'queryByDocument',
    tag: 'Events',
    description:
      'Events by a query that is a JSON document: members named as the parameters of `GET /events/query`, or conditions in `where`. A parameter in the URL counts where the document does not name it.',
    query: { ...EVENT_QUERY, order: ORDER, ...PAGING, ...FRESHNESS },
    body: body(named('EventQueryDocument'), {
      from: 'events',
      where: { and: [{ op: 'eq', field: 'event_type', value: 'order.placed' }] },
      limit: 10,
    }),
    answers: {
      200: { ...answer('The events.', named('DocumentPage')), headers: POSITION_HEADER },
    },
    errors: [
      ...READ_ERRORS,
      'invalid_body',
      'malformed_json',
      'json_too_deep',
      'unsupported_media_type',
      'body_too_large',
    ],
  },
  'GET /events/recent': listDoc('recentEvents', 'The newest events, newest first.'),
  'GET /events/entity/:entityId': listDoc('entityEvents', 'The events of an entity.'),
  'GET /events/type/:eventType': listDoc('typeEvents', 'The events of a type.'),
  'GET /events': listDoc('listEvents', 'Events as a list in a `data` member.'),
  'GET /events/:eventId': {
    id: 'getEvent',
    tag: 'Events',
    path: { eventId: PATH_PARAMETERS['eventId'] ?? parameter('The id.', {}) },
    query: { upcast: UPCAST, ...FRESHNESS },
    answers: {
      200: answer(
        'The event.',
        object(
          { event: named('PositionedEvent'), found: constant(true) },
          { data: named('PositionedEvent') },
        ),
      ),
    },
    errors: [...READ_ERRORS, 'event_not_found', 'upcast_failed'],
  },
};
