/** Projections of a tenant's own: defining them, commanding them, and what they could not fold. */
import { LIMITS } from '../../limits/limits.ts';
import { EVENT_TYPE_BYTES_MAX, PROJECTION_NAME_BYTES_MAX } from '../../model/names.ts';
import { FAULT_POLICIES, PROJECTION_TYPES } from '../../protocol/projection-definition.ts';
import {
  anything,
  constant,
  flag,
  type JsonSchema,
  list,
  named,
  object,
  orNull,
  text,
  whole,
  wordOf,
} from '../json-schema.ts';
import { parameter, required } from '../parameters.ts';
import { answer, body, type RouteDoc, type RouteDocs } from '../route-doc.ts';
import { idText, RESERVED_TYPE } from '../shapes/events.ts';

const POSITION = { min: 1, max: Number.MAX_SAFE_INTEGER };
const CLOSED = { additionalProperties: false };
const ANY_OBJECT: JsonSchema = { type: 'object' };
const ERRORS = [
  'invalid_body',
  'not_found',
  'starting',
  'not_available',
  'wrong_status',
  'definition_conflict',
  'upstream_unavailable',
] as const;

const PATTERNS = list(
  text('An event type, a prefix such as `order.*`, or `*`.', {
    pattern: '^(\\*|[a-z0-9_]+(\\.[a-z0-9_]+)*(\\.\\*?)?)$',
    maxLength: EVENT_TYPE_BYTES_MAX,
    not: RESERVED_TYPE,
  }),
  { maxItems: LIMITS.filtersMax, uniqueItems: true },
);

/** What may be changed of a projection. */
const CHANGES = {
  event_types: orNull(PATTERNS),
  description: orNull(text(undefined, { maxLength: LIMITS.projectionTextMax })),
  metadata: orNull(ANY_OBJECT),
  config: orNull(
    object(
      {},
      {
        batch_size: orNull(whole(undefined, { min: 1, max: LIMITS.projectionBatchEventsMax })),
        enable_checkpoints: orNull(flag()),
        checkpoint_interval: orNull(
          whole(undefined, { min: 1, max: LIMITS.checkpointIntervalMax }),
        ),
        parallel_processing: orNull(flag()),
        max_concurrency: orNull(whole(undefined, { min: 1, max: LIMITS.projectionWorkersMax })),
      },
      CLOSED,
    ),
  ),
  on_fault: orNull(
    object(
      {},
      {
        policy: orNull(wordOf(FAULT_POLICIES)),
        retries: orNull(whole(undefined, { max: LIMITS.projectionRetriesMax })),
      },
      CLOSED,
    ),
  ),
};

/** For a member that a form does not have. */
const NEVER: JsonSchema = { not: {} };
const CREATION: JsonSchema = {
  ...object(
    {},
    {
      name: idText(PROJECTION_NAME_BYTES_MAX),
      type: wordOf(PROJECTION_TYPES),
      ...CHANGES,
      definition: {
        description: 'What the type needs to know; of older clients also the source of a reducer.',
        type: ['object', 'string', 'null'],
      },
      start: orNull(flag('Whether it runs from the moment it is made.')),
      template: orNull(text('The name of a template, which may be all that is given.')),
      projection_type: anything('Another name of `type`.'),
      event_type_filters: anything('Another name of `event_types`.'),
      version: anything('Of older clients: 1.'),
      initial_state: anything('Of older clients: the state before the first event.'),
    },
  ),
  anyOf: [
    { required: ['name', 'type'], properties: { definition: orNull(ANY_OBJECT) } },
    { required: ['template'] },
    {
      description:
        'The form of older clients: the definition says the type, or is the source of a reducer.',
      required: ['name', 'definition'],
      properties: {
        type: NEVER,
        projection_type: NEVER,
        definition: { anyOf: [{ ...ANY_OBJECT, required: ['type'] }, { type: 'string' }] },
      },
    },
  ],
};

const UPDATE = object(
  {},
  {
    type: orNull(wordOf(PROJECTION_TYPES)),
    ...CHANGES,
    definition: orNull(ANY_OBJECT),
    expected_position: orNull(
      whole('Refused unless this is the `changed_position` of the projection.', POSITION),
    ),
  },
);

const OWN = {
  name: required('The name of a projection of your own.', text(), 'orders-per-day'),
};
const PAGE = {
  limit: parameter(
    'Rows of the answer; 100 when left out.',
    whole(undefined, { min: 1, max: LIMITS.parkedPageMax }),
    100,
  ),
  offset: parameter('Rows to pass over.', whole(undefined, { max: Number.MAX_SAFE_INTEGER }), 0),
};

function updateDoc(id: string): RouteDoc {
  return {
    id,
    tag: 'Projections',
    description:
      'What is left out stays. A change of what is computed makes a further build beside the one that is read.',
    path: OWN,
    body: body(UPDATE, { description: 'Orders by the day on which they were placed.' }),
    answers: { 200: answer('It is changed.', named('ProjectionCommanded')) },
    errors: ERRORS,
  };
}

function commandDoc(id: string, done: string): RouteDoc {
  return {
    id,
    tag: 'Projections',
    path: OWN,
    answers: {
      200: answer(
        done,
        object({ projection: text(), status: text() }, { data: named('OwnProjection') }),
      ),
    },
    errors: ERRORS,
  };
}

export const OWN_PROJECTIONS: RouteDocs = {
  'GET /projection-templates': {
    id: 'listProjectionTemplates',
    tag: 'Projections',
    answers: {
      200: answer(
        'The templates.',
        object({
          templates: list(
            object({
              name: text(),
              title: text(),
              description: text(),
              kind: text(),
              type: text(),
              definition: anything(),
            }),
          ),
          total: whole(),
        }),
      ),
    },
  },
  'POST /projections': {
    id: 'createProjection',
    tag: 'Projections',
    description: 'Creates a projection, by its definition or by a template.',
    body: body(CREATION, {
      name: 'orders-per-day',
      type: 'time_series',
      event_types: ['order.*'],
      definition: { bucket: 'day' },
      start: true,
    }),
    answers: {
      201: answer(
        'It is created.',
        object({ projection: named('NewProjection'), data: named('NewProjection') }),
      ),
    },
    errors: [
      ...ERRORS,
      'invalid_event_type',
      'definition_exists',
      'too_many_definitions',
      'payload_too_large',
      'overloaded',
    ],
  },
  'PATCH /projections/:name': updateDoc('updateProjection'),
  'PUT /projections/:name': updateDoc('putProjection'),
  'DELETE /projections/:name': {
    id: 'deleteProjection',
    tag: 'Projections',
    path: OWN,
    answers: {
      200: answer(
        'It is gone, with its states.',
        object({
          projection: text(),
          deleted: { anyOf: [constant(true), text('The name, below /api without a version.')] },
        }),
      ),
    },
    errors: ERRORS,
  },
  'POST /projections/:name/start': commandDoc('startProjection', 'It runs, or tries again.'),
  'POST /projections/:name/pause': commandDoc('pauseProjection', 'It stays where it is.'),
  'POST /projections/:name/stop': commandDoc('stopProjection', 'It stays where it is.'),
  'POST /projections/:name/rollback': {
    ...commandDoc('rollBackProjection', 'The earlier build is read.'),
    description: 'Reads an earlier build again, at once: the one before, or the one named.',
    body: body(object({}, { build: orNull(whole(undefined, POSITION)) }), {}, true),
  },
  'POST /projections/:name/reset': {
    id: 'resetProjection',
    tag: 'Projections',
    description: 'Folds all events again; a projection of the store by a replay.',
    path: OWN,
    answers: {
      200: answer(
        'It is being folded again.',
        object(
          { projection: text(), reset: constant(true), events_reprocessed: whole() },
          { replay_id: text(), data: named('OwnProjection') },
        ),
      ),
    },
    errors: [...ERRORS, 'read_behind', 'operation_running', 'overloaded'],
  },
  'GET /projections/:name/parked': {
    id: 'listParkedEntities',
    tag: 'Projections',
    description: 'Entities whose events wait because one of them cannot be folded.',
    path: OWN,
    query: PAGE,
    answers: {
      200: answer(
        'The entities.',
        object({
          projection: text(),
          parked: list(named('ParkedEntity')),
          count: whole(),
          total: whole(),
          has_more: flag(),
        }),
      ),
    },
    errors: ERRORS,
  },
  'POST /projections/:name/parked/retry': {
    id: 'retryParkedEntities',
    tag: 'Projections',
    description: 'Folds the waiting events of one entity, or of all, again.',
    path: OWN,
    body: body(object({}, { entity_id: orNull(text()) }), {}, true),
    answers: {
      200: answer(
        'What came of it.',
        object({
          projection: text(),
          entities_freed: whole(),
          events_folded: whole(),
          entities_parked: whole(),
        }),
      ),
    },
    errors: ERRORS,
  },
  'GET /projections/:name/skipped': {
    id: 'listSkippedEvents',
    tag: 'Projections',
    description: 'Events that were passed over because they cannot be folded.',
    path: OWN,
    query: PAGE,
    answers: {
      200: answer(
        'The events.',
        object({ projection: text(), skipped: list(named('SkippedEvent')), count: whole() }),
      ),
    },
    errors: ERRORS,
  },
};

const DEFINITION = {
  kind: required('What is defined.', text(), 'projection'),
  tenant: required('Whose it is.', text(), 'default'),
  name: required('Its name.', text(), 'nothing-of-this-name'),
};
const EXPECTED = {
  expected_position: required(
    'The position of the event that last changed it; 0 = there is none.',
    whole(undefined, { max: Number.MAX_SAFE_INTEGER }),
    1,
  ),
};
const KEPT = { 200: answer('It is durable.', object({ position: whole() })) };
const KEPT_ERRORS = [
  'invalid_parameter',
  'invalid_body',
  'not_found',
  'tenant_not_found',
  'definition_conflict',
  'too_many_definitions',
  'shutting_down',
] as const;

/** The routes by which the query service has definitions kept. */
export const DEFINITION_ROUTES: RouteDocs = {
  'PUT /internal/v1/definitions/:kind/:tenant/:name': {
    id: 'setDefinition',
    tag: 'Internal',
    path: DEFINITION,
    query: EXPECTED,
    body: body(ANY_OBJECT, { type: 'event_counter' }),
    answers: KEPT,
    errors: KEPT_ERRORS,
  },
  'DELETE /internal/v1/definitions/:kind/:tenant/:name': {
    id: 'removeDefinition',
    tag: 'Internal',
    path: DEFINITION,
    query: EXPECTED,
    answers: KEPT,
    errors: KEPT_ERRORS,
  },
};
