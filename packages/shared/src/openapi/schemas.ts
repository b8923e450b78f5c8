/** The shapes that several routes answer or take, by name: the `components/schemas` of the documents. */
import { ERROR_CATALOGUE } from '../errors/catalogue.ts';
import { LIMITS } from '../limits/limits.ts';
import {
  CONSUMER_ID_BYTES_MAX,
  ENTITY_ID_BYTES_MAX,
  EVENT_TYPE_BYTES_MAX,
  TENANT_ID_LENGTH_MAX,
} from '../model/names.ts';
import { COMPATIBILITY_MODES, ROLES, SCHEMA_ENFORCEMENTS } from '../protocol/system-events.ts';
import {
  anything,
  constant,
  flag,
  instant,
  type JsonSchema,
  list,
  named,
  number,
  object,
  oneOf,
  orNull,
  record,
  text,
  uuid,
  whole,
} from './json-schema.ts';

const PROBLEM_MEMBERS = {
  type: text('`urn:allsource:problem:` and the code.'),
  title: text(),
  status: whole(),
  detail: text('A sentence: what was wrong, with which value, what is allowed.'),
  code: oneOf(Object.keys(ERROR_CATALOGUE), 'What programs branch on.'),
  retryable: flag('True when the same request may succeed later unchanged.'),
};
const PROBLEM_CONTEXT = {
  instance: text('The path of the request.'),
  traceId: text('The id under which the log of the service knows the request.'),
};
/** A problem has further members with the numbers to act on. */
const OPEN = { additionalProperties: true };

/** An event type that a client may append. */
export const EVENT_TYPE_TEXT = text('Lowercase words joined by dots.', {
  pattern: '^[a-z0-9_]+(\\.[a-z0-9_]+)*$',
  maxLength: EVENT_TYPE_BYTES_MAX,
});

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

const REPLAY = {
  replay_id: uuid(),
  projection_name: text('`all` for all projections.'),
  status: oneOf(['pending', 'running', 'completed', 'failed', 'cancelled']),
  created_at: instant(),
  started_at: instant(),
  updated_at: instant(),
  completed_at: orNull(instant()),
  total_events: whole(),
  processed_events: whole(),
  failed_events: whole(),
  progress_percentage: number(),
  events_per_second: number(),
  estimated_seconds_left: orNull(number()),
  error_message: orNull(text()),
  filters: object({
    entity_id: orNull(text()),
    event_types: orNull(list(text())),
    from_timestamp: orNull(instant()),
    to_timestamp: orNull(instant()),
  }),
  config: object({
    batch_size: whole(),
    parallel: flag(),
    workers: whole(),
    emit_progress: flag(),
    progress_interval: orNull(whole()),
  }),
  results: list(
    object({
      projection_name: text(),
      replaced: oneOf(
        ['all', 'keys', 'none'],
        'Which states were replaced: all, those of the keys that the filter names, or none.',
      ),
      key_count: orNull(whole('Keys that were given a state; null where that is not known.')),
      digest: orNull(text('Of a filtered replay: equal states have equal digests.')),
    }),
  ),
  initiated_by: text('The id of the key.'),
};

/** What a replay may be restricted to, and how it is carried out. */
const REPLAY_FILTER = {
  entity_id: orNull(text(undefined, { minLength: 1, maxLength: ENTITY_ID_BYTES_MAX })),
  event_type: orNull(EVENT_TYPE_TEXT),
  event_types: orNull(list(EVENT_TYPE_TEXT, { minItems: 1, maxItems: LIMITS.replayTypesMax })),
  from_timestamp: orNull(instant()),
  to_timestamp: orNull(instant()),
  config: orNull(
    object(
      {},
      {
        batch_size: orNull(whole(undefined, { min: 1, max: LIMITS.replayBatchEventsMax })),
        parallel: orNull(flag()),
        workers: orNull(whole(undefined, { min: 1, max: LIMITS.replayWorkersMax })),
        emit_progress: orNull(flag()),
        progress_interval: orNull(whole(undefined, { min: 1, max: Number.MAX_SAFE_INTEGER })),
      },
    ),
  ),
};
export const REPLAY_WISH = {
  ...REPLAY_FILTER,
  projection_name: orNull(text('All projections when left out.', { minLength: 1, maxLength: 200 })),
};

const SNAPSHOT_FACTS = {
  entity_id: text(),
  created_at: instant(),
  as_of: instant(),
  event_count: whole(),
  size_bytes: whole(),
  snapshot_type: oneOf(['manual', 'automatic', 'ondemand']),
  stored_bytes: whole(),
  version: whole(),
  position: whole(),
};

/** Every named schema. */
export const SCHEMAS: Readonly<Record<string, JsonSchema>> = {
  CoreProblem: {
    description:
      'What core refuses, as problem details (RFC 9457). `error` is a text with a prefix that existing clients know; a violated schema has an object there.',
    ...object(
      {
        error: {
          anyOf: [text(), object({ code: text(), message: text() }, {}, OPEN)],
        },
        ...PROBLEM_MEMBERS,
      },
      PROBLEM_CONTEXT,
      OPEN,
    ),
  },
  CoreVersionConflict: {
    description:
      'Exactly these members, because existing clients take anything else for another error.',
    ...object(
      {
        error: constant('version_conflict'),
        expected_version: whole(),
        current_version: whole(),
      },
      {},
      { additionalProperties: false },
    ),
  },
  GatewayProblem: {
    description:
      'What the query service refuses, as problem details (RFC 9457) with an `error` object.',
    ...object(
      {
        error: object({ code: text(), message: text() }, {}, OPEN),
        ...PROBLEM_MEMBERS,
      },
      PROBLEM_CONTEXT,
      OPEN,
    ),
  },
  ControlPlaneProblem: {
    description:
      'What the control plane refuses, as problem details (RFC 9457); `error` is the code.',
    ...object({ error: text(), message: text(), ...PROBLEM_MEMBERS }, PROBLEM_CONTEXT, OPEN),
  },
  Event: { description: 'A recorded event. It never changes.', ...object(EVENT) },
  PositionedEvent: {
    description: 'A recorded event with its place in the log.',
    ...object({ position: whole(undefined, { min: 1 }), ...EVENT }),
  },
  IngestEvent: {
    description: 'An event to append.',
    ...object(
      {
        event_type: EVENT_TYPE_TEXT,
        entity_id: text(`1 to ${ENTITY_ID_BYTES_MAX} bytes without control characters.`, {
          minLength: 1,
          maxLength: ENTITY_ID_BYTES_MAX,
        }),
        payload: anything(`Any JSON, at most ${LIMITS.payloadBytesMax} bytes.`),
      },
      {
        metadata: anything(`Any JSON, at most ${LIMITS.metadataBytesMax} bytes.`),
        tenant_id: orNull(
          text('For administrators; otherwise the tenant of the key.', {
            pattern: '^[A-Za-z0-9_-]+$',
            maxLength: TENANT_ID_LENGTH_MAX,
          }),
        ),
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
  Consumer: object({
    consumer_id: text(`At most ${CONSUMER_ID_BYTES_MAX} bytes.`),
    event_type_filters: list(text()),
    cursor_position: orNull(whole()),
  }),
  ProjectionState: object(
    {
      projection: text(),
      entity_id: text(),
      state: anything('As it was saved; null where none is.'),
      found: flag(),
    },
    { kind: text(), status: text() },
  ),
  ProjectionStates: object(
    {
      projection: text(),
      states: list(
        object(
          { entity_id: text(), state: anything() },
          {
            found: flag(),
            too_large: flag('The state has passed the limit of what is kept.'),
          },
        ),
      ),
      total: whole(),
    },
    { count: whole(), has_more: flag() },
  ),
  SchemaRegistration: object({
    schema_id: uuid(),
    subject: text(),
    version: whole(undefined, { min: 1 }),
    created_at: instant(),
  }),
  SchemaFacts: object(
    {
      id: uuid(),
      subject: text(),
      event_type: text(),
      version: whole(undefined, { min: 1 }),
      created_at: instant(),
      description: orNull(text()),
      tags: list(text()),
      compatibility: oneOf(COMPATIBILITY_MODES),
    },
    { schema: anything('The JSON Schema as it was sent.') },
  ),
  SchemaEnforcement: oneOf(
    SCHEMA_ENFORCEMENTS,
    'Nothing is checked; misfits are counted; misfits are refused.',
  ),
  Replay: object(REPLAY),
  ReplayWish: object({}, REPLAY_WISH),
  RebuildWish: object({}, REPLAY_FILTER),
  SnapshotTaken: object({ snapshot_id: uuid(), ...SNAPSHOT_FACTS }),
  SnapshotEntry: object({ id: uuid(), ...SNAPSHOT_FACTS }),
  SnapshotWithState: object({ snapshot_id: uuid(), ...SNAPSHOT_FACTS, state: anything() }),
  SnapshotPage: object({
    snapshots: list(named('SnapshotEntry')),
    total: whole(),
    count: whole(),
    has_more: flag(),
    next_cursor: orNull(whole()),
  }),
  SnapshotRun: object({
    run_id: uuid(),
    status: text(),
    entities_total: orNull(whole()),
    entities_done: whole(),
    snapshots_taken: whole(),
    entities_unchanged: whole(),
    entities_too_large: whole(),
    created_at: instant(),
    completed_at: orNull(instant()),
    error: orNull(text()),
    follow: text('Where to ask how far it is.'),
  }),
  Principal: object({
    id: text(),
    username: text(),
    email: { type: 'null' },
    role: oneOf(ROLES),
    tenant_id: text(),
    kind: text(),
  }),
  ApiKey: object({
    id: text(),
    name: text(),
    key_prefix: text('The first characters; the key itself is not kept.'),
    tenant_id: text(),
    role: oneOf(ROLES),
    created_at: instant(),
    expires_at: orNull(instant()),
    active: flag(),
    last_used: { type: 'null' },
  }),
  Tenant: object({
    id: text(),
    name: text(),
    description: { type: 'null' },
    active: flag(),
    status: text(),
    created_at: instant(),
    updated_at: instant(),
    schema_enforcement: named('SchemaEnforcement'),
  }),
  Stats: object(
    {
      total_events: whole(),
      total_entities: whole(),
      total_event_types: whole(),
      total_ingested: whole(),
      total_projections: whole(),
      total_schemas: whole(),
      uptime_seconds: whole(),
      memory_used_bytes: whole(),
      storage_used_bytes: whole(),
      ingest_rate_per_sec: number(),
      query_rate_per_sec: number(),
    },
    { head_position: whole(), position: whole() },
  ),
};
