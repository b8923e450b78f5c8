/** Pipelines over events. */
import { LIMITS } from '../../limits/limits.ts';
import { EVENT_TYPE_BYTES_MAX, EVENT_TYPE_PATTERN } from '../../model/names.ts';
import {
  constant,
  flag,
  type JsonSchema,
  list,
  named,
  object,
  oneOf,
  orNull,
  text,
  uuid,
  whole,
} from '../json-schema.ts';
import { FRESHNESS, parameter, required } from '../parameters.ts';
import { answer, body, type RouteDocs } from '../route-doc.ts';
import { RESERVED_TYPE } from '../shapes/events.ts';

const EXAMPLE_ID = '7f0c2d9e-51b4-4c0e-9a57-0d7c3d1f6a20';
const ID = { pipelineId: required('The id of a pipeline.', uuid(), EXAMPLE_ID) };
const START = oneOf(['beginning', 'now']);
const POSITION_MAX = Number.MAX_SAFE_INTEGER;
const ERRORS = [
  'invalid_parameter',
  'not_found',
  'starting',
  'not_available',
  'upstream_unavailable',
] as const;
const CHANGE_ERRORS = [
  ...ERRORS,
  'invalid_body',
  'invalid_event_type',
  'definition_conflict',
  'too_many_definitions',
] as const;

const OPERATOR = object(
  { type: oneOf(['filter', 'map', 'reduce', 'window', 'enrich', 'branch']) },
  {},
  { description: 'What more it needs is in the guide.' },
);
/** An event type, alone or behind `emit:`. */
const EMITTED_TYPE = text(undefined, {
  pattern: EVENT_TYPE_PATTERN.replace('^', '^(?:emit:)?'),
  not: { pattern: '^(?:emit:)?_system\\.' },
});
const OUTPUT = {
  description:
    '`table`, `emit:<event type>` or the type alone, `webhook:<url>`, or an object; what more that needs is in the guide.',
  anyOf: [
    constant('table'),
    text(undefined, { pattern: '^webhook:.' }),
    EMITTED_TYPE,
    object({ kind: oneOf(['table', 'emit', 'webhook', 'branches']) }),
  ],
};
const PATTERN = text('An event type, a prefix such as `order.*`, or `*`.', {
  pattern: '^(\\*|[a-z0-9_]+(\\.[a-z0-9_]+)*(\\.\\*)?)$',
  maxLength: EVENT_TYPE_BYTES_MAX,
  not: RESERVED_TYPE,
});

function wish(id: JsonSchema): JsonSchema {
  return object(
    {
      name: text(undefined, { minLength: 1, maxLength: 128 }),
      operators: list(OPERATOR, { maxItems: LIMITS.pipelineOperatorsMax }),
      output: OUTPUT,
    },
    {
      id,
      description: orNull(text(undefined, { maxLength: 2_000 })),
      source_event_types: orNull(list(PATTERN, { maxItems: LIMITS.filtersMax })),
      enabled: orNull(flag()),
      start_from: orNull(START),
    },
    { additionalProperties: false },
  );
}
const EXAMPLE = {
  id: EXAMPLE_ID,
  name: 'orders-by-customer',
  source_event_types: ['order.*'],
  operators: [],
  output: 'table',
};

export const PIPELINES: RouteDocs = {
  'GET /pipelines/stats': {
    id: 'listPipelineStats',
    tag: 'Pipelines',
    answers: {
      200: answer(
        'What each has done.',
        object({ stats: list(named('PipelineStats')), total: whole() }),
      ),
    },
    errors: ERRORS,
  },
  'POST /pipelines': {
    id: 'registerPipeline',
    tag: 'Pipelines',
    description: 'Registers a pipeline, or changes the one that has the id.',
    body: body(wish(orNull(uuid('Chosen by the store when left out.'))), EXAMPLE),
    answers: { 200: answer('It is registered.', named('PipelineRegistered')) },
    errors: CHANGE_ERRORS,
  },
  'GET /pipelines': {
    id: 'listPipelines',
    tag: 'Pipelines',
    answers: {
      200: answer(
        'In the order in which they were registered.',
        object({ pipelines: list(named('Pipeline')), total: whole() }),
      ),
    },
    errors: ERRORS,
  },
  'GET /pipelines/:pipelineId/stats': {
    id: 'getPipelineStats',
    tag: 'Pipelines',
    path: ID,
    query: FRESHNESS,
    answers: { 200: answer('What it has done.', named('PipelineStats')) },
    errors: [...ERRORS, 'read_behind', 'position_beyond_head'],
  },
  'PUT /pipelines/:pipelineId/reset': {
    id: 'resetPipeline',
    tag: 'Pipelines',
    description: 'Forgets what the pipeline has come to and begins it anew.',
    path: ID,
    body: body(
      object({}, { start_from: orNull(START) }, { additionalProperties: false }),
      { start_from: 'beginning' },
      true,
    ),
    answers: {
      200: answer(
        'It begins anew.',
        object({ pipeline_id: uuid(), reset: constant(true), generation: whole() }),
      ),
    },
    errors: CHANGE_ERRORS,
  },
  'GET /pipelines/:pipelineId': {
    id: 'getPipeline',
    tag: 'Pipelines',
    path: ID,
    answers: { 200: answer('The pipeline; its secrets are left out.', named('Pipeline')) },
    errors: ERRORS,
  },
  'PUT /pipelines/:pipelineId': {
    id: 'updatePipeline',
    tag: 'Pipelines',
    description: 'What it computes begins anew where that is another thing.',
    path: ID,
    body: body(wish(uuid('That of the path.')), EXAMPLE),
    answers: { 200: answer('It is changed.', named('PipelineRegistered')) },
    errors: CHANGE_ERRORS,
  },
  'DELETE /pipelines/:pipelineId': {
    id: 'removePipeline',
    tag: 'Pipelines',
    description: 'What it has written into the log stays.',
    path: ID,
    answers: {
      200: answer('It is gone.', object({ pipeline_id: uuid(), removed: constant(true) })),
    },
    errors: CHANGE_ERRORS,
  },
  'GET /pipelines/:pipelineId/results': {
    id: 'getPipelineResults',
    tag: 'Pipelines',
    description:
      'The rows by key, or those that changed since a position. As `text/event-stream` the changes are followed live.',
    path: ID,
    query: {
      key: parameter('Only this row.', text()),
      key_prefix: parameter('Only rows whose keys begin so.', text(), 'order-'),
      after: parameter('Behind this key: the `next_after` of the page before.', text()),
      since: parameter(
        'Rows that changed behind this position, in the order of their changes.',
        whole(undefined, { max: POSITION_MAX }),
        0,
      ),
      limit: parameter(
        'Rows of the answer; 100 when left out.',
        whole(undefined, { min: 1, max: LIMITS.pipelineResultsPageMax }),
        100,
      ),
      ...FRESHNESS,
    },
    headers: { 'last-event-id': parameter('What browsers send when they reconnect.', text()) },
    answers: {
      200: {
        description: 'The rows.',
        content: {
          'application/json': { schema: named('PipelineResults') },
          'text/event-stream': {},
        },
      },
    },
    errors: [
      ...ERRORS,
      'read_behind',
      'position_beyond_head',
      'too_many_connections',
      'shutting_down',
    ],
  },
  'GET /pipelines/:pipelineId/dead-letters': {
    id: 'listDeadLetters',
    tag: 'Pipelines',
    path: ID,
    query: {
      limit: parameter(
        'Rows of the answer; 100 when left out.',
        whole(undefined, { min: 1, max: 1_000 }),
        100,
      ),
      offset: parameter('Rows to pass over.', whole(undefined, { max: POSITION_MAX }), 0),
    },
    answers: {
      200: answer(
        'Outputs that could not be written or delivered.',
        object({
          pipeline_id: uuid(),
          dead_letters: list(named('DeadLetter')),
          count: whole(),
          total: whole(),
        }),
      ),
    },
    errors: ERRORS,
  },
  'POST /pipelines/:pipelineId/dead-letters/retry': {
    id: 'retryDeadLetters',
    tag: 'Pipelines',
    path: ID,
    query: { id: parameter('One dead letter; all when left out.', text(), '1042-0') },
    answers: {
      200: answer('They are tried again.', object({ pipeline_id: uuid(), retried: whole() })),
    },
    errors: ERRORS,
  },
  'GET /pipelines/:pipelineId/failures': {
    id: 'listPipelineFailures',
    tag: 'Pipelines',
    path: ID,
    query: {
      limit: parameter(
        'Rows of the answer; 100 when left out.',
        whole(undefined, { min: 1, max: LIMITS.pipelineFaultsMax }),
        100,
      ),
    },
    answers: {
      200: answer(
        'Events that it could not work with, the newest first.',
        object({
          pipeline_id: uuid(),
          failures: list(object({ position: whole(), event_id: text(), reason: text() })),
          count: whole(),
          total: whole(),
        }),
      ),
    },
    errors: ERRORS,
  },
};
