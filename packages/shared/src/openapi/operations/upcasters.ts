/** The steps between the versions of a schema, and how schemas have changed. */
import { LIMITS } from '../../limits/limits.ts';
import { COMPATIBILITY_MODES } from '../../protocol/system-events.ts';
import {
  constant,
  anything,
  flag,
  instant,
  type JsonSchema,
  list,
  named,
  object,
  oneOf,
  orNull,
  record,
  text,
  uuid,
  whole,
} from '../json-schema.ts';
import { FRESHNESS, PATH_PARAMETERS, parameter, required } from '../parameters.ts';
import { answer, body, type RouteDocs } from '../route-doc.ts';

const VERSION = whole(undefined, { min: 1, max: LIMITS.schemaVersionsMax });
const TEXT_OF_FUNCTION = text('The source of a JavaScript function from payload to payload.');
const CHANGE_ERRORS = [
  'schema_not_found',
  'invalid_body',
  'invalid_upcaster',
  'upcasters_incomplete',
  'too_many_schemas',
  'overloaded',
] as const;

/** A step as it is sent: by mappings, or by a function. */
export const STEP: JsonSchema = {
  ...object(
    {},
    {
      from_version: orNull(VERSION),
      to_version: orNull(VERSION),
      mappings: list({ type: 'object' }, { maxItems: LIMITS.upcasterMappingsMax }),
      function: TEXT_OF_FUNCTION,
      samples: orNull(
        list(anything('A payload of the older version.'), { maxItems: LIMITS.upcasterSamplesMax }),
      ),
      description: orNull(text(undefined, { maxLength: 10_000 })),
    },
    { additionalProperties: false },
  ),
  oneOf: [{ required: ['mappings'] }, { required: ['function'] }],
};
const ADD_DEFAULT = { op: 'default', path: '/currency', value: 'EUR' };

const STEP_FACTS = {
  subject: text(),
  from_version: whole(),
  to_version: whole(),
  description: orNull(text()),
  created_at: instant(),
};
const WORK = { mappings: anything('As they were sent.'), function: text() };
const CHAIN = {
  subject: text(),
  newest_version: whole(),
  complete: flag('Steps lead from every older version to the newest.'),
  versions_without_path: list(whole()),
  upcasters: list(object(STEP_FACTS, WORK)),
};

const SUBJECT = {
  subject: required('The event type that a schema is for.', text(), 'order.packed'),
};
const FROM = {
  ...SUBJECT,
  fromVersion: required('The version that the step begins at.', VERSION, 1),
};

const VERSION_FACTS = {
  version: whole(),
  schema_id: uuid(),
  created_at: instant(),
  position: whole(),
  description: orNull(text()),
  tags: list(text()),
};
const READ_ERRORS = [
  'schema_not_found',
  'read_behind',
  'position_beyond_head',
  'invalid_parameter',
  'not_available',
  'upstream_unavailable',
] as const;

export const UPCASTERS: RouteDocs = {
  'GET /schemas/:subject/upcasters': {
    id: 'listUpcasters',
    tag: 'Schemas',
    path: SUBJECT,
    answers: { 200: answer('The steps.', object(CHAIN)) },
    errors: ['schema_not_found'],
  },
  'PUT /schemas/:subject/upcasters': {
    id: 'setUpcasters',
    tag: 'Schemas',
    description: 'Sets all steps at once; they must lead from every older version to the newest.',
    path: SUBJECT,
    body: body(object({ upcasters: list({ ...STEP, required: ['from_version'] }) }), {
      upcasters: [{ from_version: 1, mappings: [ADD_DEFAULT] }],
    }),
    answers: {
      200: answer('They are set.', object({ ...CHAIN, samples_tried: whole() })),
    },
    errors: CHANGE_ERRORS,
  },
  'GET /schemas/:subject/upcasters/:fromVersion': {
    id: 'getUpcaster',
    tag: 'Schemas',
    path: FROM,
    answers: { 200: answer('The step.', object(STEP_FACTS, WORK)) },
    errors: ['schema_not_found', 'upcaster_not_found', 'invalid_parameter'],
  },
  'PUT /schemas/:subject/upcasters/:fromVersion': {
    id: 'setUpcaster',
    tag: 'Schemas',
    path: FROM,
    body: body(STEP, { mappings: [ADD_DEFAULT] }),
    answers: {
      200: answer('It is set.', object({ ...STEP_FACTS, samples_tried: whole() }, WORK)),
    },
    errors: [...CHANGE_ERRORS, 'invalid_parameter'],
  },
  'DELETE /schemas/:subject/upcasters/:fromVersion': {
    id: 'removeUpcaster',
    tag: 'Schemas',
    path: FROM,
    answers: {
      200: answer(
        'It is removed.',
        object({ subject: text(), from_version: whole(), deleted: constant(true) }),
      ),
    },
    errors: ['schema_not_found', 'upcaster_not_found', 'invalid_parameter'],
  },
  'GET /schema-evolution/stats': {
    id: 'getSchemaStats',
    tag: 'Schemas',
    query: FRESHNESS,
    answers: {
      200: answer(
        'The counts.',
        object({
          total_subjects: whole(),
          total_versions: whole(),
          total_upcasters: whole(),
          subjects_with_incomplete_upcasters: whole(),
          subjects_by_compatibility: record(whole()),
          schema_enforcement: named('SchemaEnforcement'),
          bytes: whole(),
          bytes_max: whole(),
          last_registered_at: orNull(instant()),
        }),
      ),
    },
    errors: READ_ERRORS,
  },
  'GET /schema-evolution/history/:eventType': {
    id: 'getSchemaHistory',
    tag: 'Schemas',
    path: { eventType: PATH_PARAMETERS['eventType'] as ReturnType<typeof required> },
    query: {
      limit: parameter('Versions of the answer; 100 when left out.', VERSION, 100),
      offset: parameter(
        'Versions to pass over.',
        whole(undefined, { max: LIMITS.schemaVersionsMax }),
        0,
      ),
      ...FRESHNESS,
    },
    answers: {
      200: answer(
        'The versions, and what each has changed.',
        object({
          event_type: text(),
          compatibility: oneOf(COMPATIBILITY_MODES),
          total: whole(),
          versions: list(
            object({
              ...VERSION_FACTS,
              compatibility: oneOf(COMPATIBILITY_MODES),
              previous_version: orNull(whole()),
              changes: list(
                object(
                  { change: oneOf(['added', 'removed', 'changed']), pointer: text() },
                  { before: anything(), after: anything() },
                ),
              ),
              changes_cut: flag('There are more changes than are listed.'),
            }),
          ),
          has_more: flag(),
        }),
      ),
    },
    errors: READ_ERRORS,
  },
  'GET /schema-evolution/schema/:eventType': {
    id: 'getSchemaEvolution',
    tag: 'Schemas',
    query: FRESHNESS,
    answers: {
      200: answer(
        'The newest version, with a list of all.',
        object({
          event_type: text(),
          compatibility: oneOf(COMPATIBILITY_MODES),
          ...VERSION_FACTS,
          upcasters: object({
            count: whole(),
            complete: flag(),
            versions_without_path: list(whole()),
          }),
          versions: list(object({ version: whole(), created_at: instant() })),
          schema: anything('As it was sent.'),
        }),
      ),
    },
    errors: READ_ERRORS,
  },
};
