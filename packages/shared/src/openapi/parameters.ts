/** Parameters that many routes share. */
import { LIMITS } from '../limits/limits.ts';
import { orderFault } from '../protocol/event-query.ts';
import { flag, instant, type JsonSchema, oneOf, text, uuid, whole } from './json-schema.ts';
import type { ParameterDoc } from './route-doc.ts';

const POSITION_MAX = Number.MAX_SAFE_INTEGER;

/** An optional parameter. */
export function parameter(
  description: string,
  schema: JsonSchema,
  example?: ParameterDoc['example'],
): ParameterDoc {
  return { description, schema, ...(example === undefined ? {} : { example }) };
}

/** A parameter that must be there, with an example that works. */
export function required(
  description: string,
  schema: JsonSchema,
  example: string | number,
): ParameterDoc {
  return { description, schema, required: true, example };
}

/** Parameters in the path, by the names that routes give them. Each example names something that the tests make. */
export const PATH_PARAMETERS: Readonly<Record<string, ParameterDoc>> = {
  entityId: required('The id of an entity.', text(), 'order-1001'),
  eventId: required('The id of an event.', uuid(), '019a1fde-d7f5-74a7-8310-00000000000f'),
  eventType: required('An event type.', text(), 'order.placed'),
  subject: required('The event type that a schema is for.', text(), 'order.placed'),
  name: required('The name of a projection.', text(), 'entity_snapshots'),
  projection: required('The name of a projection.', text(), 'order-totals'),
  consumerId: required('The id of a consumer.', text(), 'billing'),
  keyId: required('The id of an API key.', uuid(), '3f5a2c1e-8d4b-4a6f-9c7e-2b1d0e9f8a7c'),
  tenantId: required('The id of a tenant.', text(), 'default'),
  replayId: required('The id of a replay.', uuid(), '3f5a2c1e-8d4b-4a6f-9c7e-2b1d0e9f8a7c'),
  operationId: required('The id of an operation.', uuid(), '3f5a2c1e-8d4b-4a6f-9c7e-2b1d0e9f8a7c'),
  runId: required('The id of a run.', uuid(), '3f5a2c1e-8d4b-4a6f-9c7e-2b1d0e9f8a7c'),
  below: required('What follows, slashes included.', text(), 'status'),
};

/** `tenant_id`, on every route that works in a tenant. */
export const TENANT: ParameterDoc = parameter(
  'The tenant to work in, for administrators. Everybody else works in the tenant of the key, and may name only that.',
  text(),
);

/** Which part of a list. */
export const WINDOW = {
  limit: parameter(
    'Rows of the answer; all of them when left out.',
    whole(undefined, { max: LIMITS.pageEventsMax }),
    100,
  ),
  offset: parameter('Rows to pass over.', whole(undefined, { max: POSITION_MAX }), 0),
} as const;

/** How new a read store has to be. */
export const FRESHNESS = {
  consistency: parameter(
    '`strong` (the default): the answer holds everything that was acknowledged before the request. `eventual`: what is there.',
    oneOf(['strong', 'eventual']),
    'strong',
  ),
  min_position: parameter(
    'Waits until the answer holds this position, instead of asking core how far the log reaches.',
    whole(undefined, { max: POSITION_MAX }),
    1,
  ),
} as const;

export const SINCE = parameter(
  'Only what happened at or after this instant.',
  instant(),
  '2026-01-01T00:00:00Z',
);
export const UNTIL = parameter(
  'Only what happened at or before this instant.',
  instant(),
  '2100-01-01T00:00:00Z',
);
export const AS_OF_RECORDED = parameter(
  'Only what the store had taken at this instant.',
  instant(),
  '2100-01-01T00:00:00Z',
);
export const ENTITY = parameter('Only this entity.', text(), 'order-1001');
export const EVENT_TYPE = parameter('Only this event type.', text(), 'order.placed');
export const TYPE_PREFIX = parameter('Only event types that begin so.', text(), 'order.');
export const PAYLOAD_FILTER = parameter(
  'A JSON object; each member must equal the payload\'s member of that name, such as `{"currency":"EUR"}`.',
  text(),
  '{"currency":"EUR"}',
);

/** The conditions of a query over events. */
export const EVENT_QUERY = {
  entity_id: ENTITY,
  event_type: EVENT_TYPE,
  event_type_prefix: TYPE_PREFIX,
  exclude_event_type_prefix: parameter(
    'Not the event types that begin so; several, joined by commas.',
    text(),
    'test.',
  ),
  since: SINCE,
  until: UNTIL,
  as_of: parameter(
    'The same bound as `until`; of the two the earlier counts.',
    instant(),
    '2100-01-01T00:00:00Z',
  ),
  as_of_recorded: AS_OF_RECORDED,
  payload_filter: PAYLOAD_FILTER,
  limit: parameter(
    'Events of the answer. `GET /events` answers 100 and `/events/recent` 20 when it is left out, all others everything.',
    whole(undefined, { max: LIMITS.pageEventsMax }),
    100,
  ),
  offset: parameter(
    'Events to pass over. Pages are better read with `cursor`.',
    whole(undefined, { max: POSITION_MAX }),
    0,
  ),
} as const;

/** Payloads in the form of newer schemas. */
export const UPCAST = parameter(
  '`true` for payloads in the form of the newest version of their schema, or the number of a version; as they are stored when left out.',
  text(undefined, { pattern: '^(?:true|false|[1-9]\\d{0,4})$' }),
  'true',
);

/** Further pages and plans, which the query service has. */
export const PAGING = {
  upcast: UPCAST,
  cursor: parameter('The `next_cursor` of the page before.', text()),
  explain: parameter(
    'Adds the member `explain`: which way was taken, and what it cost.',
    flag(),
    'true',
  ),
} as const;

export const ORDER: ParameterDoc = {
  description: 'By the time at which events happened; then by version and position.',
  schema: oneOf(['asc', 'desc']),
  example: 'asc',
  refusal: orderFault,
};

/** The header that makes a repeated append answer the same. */
export const IDEMPOTENCY_KEY = parameter(
  `1 to ${LIMITS.idempotencyKeyBytesMax} bytes. The same key with the same body answers what the first append answered, and appends nothing.`,
  text(),
);
