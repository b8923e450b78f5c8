/** Appending: one event, a batch, and streams of them. */
import { LIMITS } from '../../limits/limits.ts';
import { list, named, object, whole } from '../json-schema.ts';
import { IDEMPOTENCY_KEY, parameter } from '../parameters.ts';
import { type AnswerDoc, answer, body, type RouteDoc, type RouteDocs } from '../route-doc.ts';

export const EVENT_EXAMPLE = {
  event_type: 'order.placed',
  entity_id: 'order-1001',
  payload: { customer: 'c-7', amount: 4200, currency: 'EUR' },
  metadata: { trace: 'abc' },
};

const ERRORS = [
  'malformed_json',
  'json_too_deep',
  'invalid_body',
  'invalid_event_type',
  'invalid_entity_id',
  'invalid_tenant_id',
  'invalid_timestamp',
  'future_timestamp',
  'payload_too_large',
  'body_too_large',
  'unsupported_media_type',
  'invalid_idempotency_key',
  'idempotency_key_reused',
  'tenant_not_found',
  'version_conflict',
  'schema_violation',
  'storage_full',
  'writer_poisoned',
  'overloaded',
  'shutting_down',
] as const;

const HEADERS = { 'idempotency-key': IDEMPOTENCY_KEY };
const ANSWER_HEADERS = {
  'idempotent-replayed': '`true` where the key was known and nothing was appended.',
  'schema-warnings': 'How many payloads do not fit their schemas, where the tenant only warns.',
};
const LINES = 'application/x-ndjson';

const GROUPS: AnswerDoc = {
  description: 'Each group as soon as it is durable, then a summary or the problem that ended it.',
  content: { [LINES]: { schema: named('StreamedAppend') } },
};

const appendEvent: RouteDoc = {
  id: 'appendEvent',
  tag: 'Events',
  description:
    'The answer comes when the event is on disk. `expected_version` makes the append conditional; an `Idempotency-Key` makes it safe to repeat.',
  headers: HEADERS,
  body: body(named('IngestEvent'), EVENT_EXAMPLE),
  answers: {
    200: { ...answer('The event is durable.', named('AppendAnswer')), headers: ANSWER_HEADERS },
  },
  errors: ERRORS,
};

export const BATCH = object({
  events: list(named('IngestEvent'), { maxItems: LIMITS.batchEventsMax }),
});

const appendBatch: RouteDoc = {
  id: 'appendBatch',
  tag: 'Events',
  description: `All or nothing, at most ${LIMITS.batchEventsMax} events. As \`${LINES}\`, one event a line and any number of lines, it is appended group by group, and each group is acknowledged when it is durable.`,
  headers: HEADERS,
  query: {
    group_lines: parameter(
      'Lines of a group, for lines only.',
      whole(undefined, { min: 1, max: LIMITS.batchEventsMax }),
      1000,
    ),
  },
  body: {
    content: {
      'application/json': {
        schema: BATCH,
        example: { events: [EVENT_EXAMPLE, { ...EVENT_EXAMPLE, event_type: 'order.paid' }] },
      },
      [LINES]: { schema: named('IngestEvent'), example: `${JSON.stringify(EVENT_EXAMPLE)}\n` },
    },
  },
  answers: {
    200: {
      description: 'All events are durable; for lines, what became of each group.',
      content: {
        'application/json': { schema: named('BatchAnswer') },
        ...GROUPS.content,
      },
      headers: ANSWER_HEADERS,
    },
  },
  errors: [...ERRORS, 'batch_too_large', 'line_too_large', 'stream_silent'],
};

/** The gateway answers what it creates with 201. */
function created(doc: RouteDoc): RouteDoc {
  const { 200: done, ...others } = doc.answers;
  return { ...doc, answers: { ...others, ...(done === undefined ? {} : { 201: done }) } };
}

export const APPENDS: RouteDocs = {
  'POST /events': appendEvent,
  'POST /events/batch': appendBatch,
};

/** The same at the gateway, which answers 201, and 200 to lines. */
export const GATEWAY_APPENDS: RouteDocs = {
  'POST /events': created(appendEvent),
  'POST /events/batch': {
    ...created(appendBatch),
    answers: {
      201: answer('All events are durable.', named('BatchAnswer')),
      200: GROUPS,
    },
  },
};
