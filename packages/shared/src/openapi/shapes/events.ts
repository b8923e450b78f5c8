/** Events: to append, recorded, and in lists. */
import { LIMITS } from '../../limits/limits.ts';
import {
  ENTITY_ID_BYTES_MAX,
  EVENT_TYPE_BYTES_MAX,
  EVENT_TYPE_PATTERN,
  SYSTEM_TENANT,
  SYSTEM_TYPE_PREFIX,
  TENANT_ID_LENGTH_MAX,
  TENANT_ID_PATTERN,
  TEXT_ID_PATTERN,
} from '../../model/names.ts';
import {
  anything,
  constant,
  flag,
  instant,
  list,
  named,
  number,
  object,
  orNull,
  record,
  text,
  uuid,
  whole,
  wordOf,
  type JsonSchema,
} from '../json-schema.ts';

/** A problem has further members with the numbers to act on. */
const OPEN = { additionalProperties: true };

/** What no event type or pattern of a client begins with. */
export const RESERVED_TYPE: JsonSchema = {
  type: 'string',
  pattern: `^${SYSTEM_TYPE_PREFIX.replace('.', '\\.')}`,
};

/** An event type that a client may append. */
export const EVENT_TYPE_TEXT = text('Lowercase words joined by dots.', {
  pattern: EVENT_TYPE_PATTERN,
  maxLength: EVENT_TYPE_BYTES_MAX,
  not: RESERVED_TYPE,
});

/** The id of an entity or a consumer, or the name of a projection: names.ts has the rule. */
export function idText(bytesMax: number, description?: string): JsonSchema {
  const rule = `1 to ${bytesMax} bytes without control characters and without white space at the ends.`;
  return text(description === undefined ? rule : `${description} ${rule}`, {
    pattern: TEXT_ID_PATTERN,
    minLength: 1,
    maxLength: bytesMax,
  });
}

/** A tenant that a client may name. */
export function tenantText(description?: string): JsonSchema {
  return text(description, {
    pattern: TENANT_ID_PATTERN,
    maxLength: TENANT_ID_LENGTH_MAX,
    not: { const: SYSTEM_TENANT },
  });
}

const SOME_TEXT = orNull(text(undefined, { minLength: 1 }));
/** What a condition of a query document may be on. */
const CONDITION_FIELD =
  '^(entity_id|event_type|event_type_prefix|exclude_event_type_prefix|since|until|as_of|as_of_recorded|payload\\..+)$';

const EVENT = {
  id: uuid(),
  event_type: text(),
  entity_id: text(),
  tenant_id: text(),
  payload: anything('Any JSON, byte for byte as it was sent.'),
  timestamp: instant('When it happened.'),
  metadata: anything('Any JSON as it was sent, or null.'),
  version: whole('1 for the first event of the entity, and one more for each.', { min: 1 }),
  recorded_at: instant('When the store took it.'),
};
const ACKNOWLEDGEMENT = {
  event_id: uuid(),
  timestamp: instant(),
  version: whole('The version of the entity after this event.', { min: 1 }),
};

const POSITION = whole('The position of the log at which the answer is true.');

export const EVENT_SHAPES: Readonly<Record<string, JsonSchema>> = {
  Event: { description: 'A recorded event. It never changes.', ...object(EVENT) },
  PositionedEvent: {
    description:
      'A recorded event with its place in the log; with `upcast` also in which form it is.',
    ...object(
      { position: whole(undefined, { min: 1 }), ...EVENT },
      {
        schema_version: orNull(whole('The version of its schema that the payload fits here.')),
        stored_schema_version: orNull(whole('The one that it was stored with.')),
        upcast_error: object({ code: text(), detail: text() }, {}, OPEN),
      },
    ),
  },
  IngestEvent: {
    description: 'An event to append.',
    ...object(
      {
        event_type: EVENT_TYPE_TEXT,
        entity_id: idText(ENTITY_ID_BYTES_MAX),
        payload: anything(`Any JSON, at most ${LIMITS.payloadBytesMax} bytes.`),
      },
      {
        metadata: anything(`Any JSON, at most ${LIMITS.metadataBytesMax} bytes.`),
        tenant_id: orNull(tenantText('For administrators; otherwise the tenant of the key.')),
        expected_version: orNull(
          whole('The version the entity must be at; 0 = it has no events.', {
            max: Number.MAX_SAFE_INTEGER,
          }),
        ),
        timestamp: orNull(instant('When it happened; now when left out. Not in the future.')),
      },
    ),
  },
  AppendAnswer: {
    description: 'The event is durable. `data` repeats it whole for clients that read that.',
    ...object({
      ...ACKNOWLEDGEMENT,
      position: whole(undefined, { min: 1 }),
      data: object({ event_id: uuid(), ...EVENT }),
    }),
  },
  Acknowledgement: object(ACKNOWLEDGEMENT),
  AcknowledgedEvent: {
    description: 'An acknowledgement, or the whole event where it was asked for.',
    ...object(ACKNOWLEDGEMENT, { ...EVENT }),
  },
  BatchAnswer: {
    description: 'All events are durable, in the order of the request.',
    ...object({
      total: whole(),
      ingested: whole(),
      count: whole(),
      events: list(named('Acknowledgement')),
      data: list(named('AcknowledgedEvent')),
    }),
  },
  Explanation: {
    description: 'Which way a query took through which blocks, and what it cost.',
    ...object({
      plan: text(),
      why: text(),
      blocks: whole(),
      blocks_searched: whole(),
      blocks_by_access: record(whole()),
      blocks_skipped: record(whole()),
      rows_scanned: whole(),
      payloads_read: whole(),
      rows_sorted: whole(),
      elapsed_ms: number(),
      budget: object({ rows_max: whole(), ms_max: whole() }),
    }),
  },
  EventPage: {
    description: 'Events, oldest first unless `order` says otherwise.',
    ...object(
      {
        events: list(named('PositionedEvent')),
        count: whole('Events of this page.'),
        total_count: whole('Events of all pages.'),
        has_more: flag(),
      },
      {
        next_cursor: text('Asks for the next page, as `cursor`.'),
        entity_version: whole('Of the entity, where the query names one.'),
        explain: named('Explanation'),
        upcast_errors: whole('Events of this page that could not be upcast.'),
        position: POSITION,
      },
    ),
  },
  EventList: {
    description: 'Events in a member `data`, as older clients read them.',
    ...object(
      {
        data: list(named('PositionedEvent')),
        count: whole(),
        total_count: whole(),
        has_more: flag(),
        position: POSITION,
        _links: object({ self: object({ href: text() }) }),
      },
      {
        next_cursor: text(),
        entity_id: text(),
        event_type: text(),
        explain: named('Explanation'),
        upcast_errors: whole(),
      },
    ),
  },
  QueryCondition: {
    description: 'A comparison, or several that must all hold.',
    anyOf: [
      object(
        { field: text(undefined, { pattern: CONDITION_FIELD }), value: anything() },
        { op: { enum: ['eq', null] } },
        { not: { anyOf: [{ required: ['and'] }, { required: ['or'] }] } },
      ),
      object({ and: list(named('QueryCondition')) }, {}, { additionalProperties: false }),
      object(
        { or: list(named('QueryCondition'), { maxItems: 1 }) },
        {},
        { additionalProperties: false },
      ),
    ],
  },
  EventQueryDocument: {
    description:
      'A query over events. Each condition must hold; `field` is the name of a parameter or `payload.` and the name of a top-level member.',
    ...object(
      {},
      {
        from: { enum: ['events', null] },
        where: { anyOf: [named('QueryCondition'), { type: 'null' }] },
        entity_id: SOME_TEXT,
        event_type: SOME_TEXT,
        event_type_prefix: SOME_TEXT,
        exclude_event_type_prefix: SOME_TEXT,
        since: orNull(instant()),
        until: orNull(instant()),
        as_of: orNull(instant()),
        as_of_recorded: orNull(instant()),
        payload_filter: {
          description: 'A JSON object, or its text.',
          type: ['object', 'string', 'null'],
        },
        limit: orNull(whole('100 when left out.', { max: LIMITS.pageEventsMax })),
        offset: orNull(whole(undefined, { max: Number.MAX_SAFE_INTEGER })),
        order: orNull(wordOf(['asc', 'desc'])),
        cursor: SOME_TEXT,
        explain: orNull(flag()),
        upcast: orNull(flag()),
      },
    ),
  },
  DocumentPage: {
    description: 'Events, and the query as it was understood.',
    ...object(
      {
        data: list(named('PositionedEvent')),
        count: whole(),
        total_count: whole(),
        has_more: flag(),
        query: anything(),
        position: POSITION,
      },
      {
        next_cursor: text(),
        entity_version: whole(),
        explain: named('Explanation'),
        upcast_errors: whole(),
      },
    ),
  },
  StreamedAppend: {
    description: 'A line of the answer to a streamed append.',
    oneOf: [
      object(
        {
          kind: constant('group'),
          group: whole(),
          events: whole(),
          first_position: whole(),
          last_position: whole(),
        },
        {
          first_line: whole(),
          last_line: whole(),
          first_row: whole(),
          last_row: whole(),
          replayed: flag(),
          schema_warnings: whole(),
        },
      ),
      object(
        {
          kind: constant('summary'),
          events: whole(),
          groups: whole(),
          replayed_groups: whole(),
          first_position: orNull(whole()),
          last_position: orNull(whole()),
        },
        { lines: whole(), rows: whole() },
      ),
      object({ kind: constant('problem') }, {}, OPEN),
    ],
  },
};
