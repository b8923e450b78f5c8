/** Schemas of event types. */
import { LIMITS } from '../../limits/limits.ts';
import { COMPATIBILITY_MODES, SCHEMA_ENFORCEMENTS } from '../../protocol/system-events.ts';
import {
  anything,
  firstOf,
  flag,
  type JsonSchema,
  list,
  named,
  object,
  oneOf,
  orNull,
  text,
  whole,
  wordOf,
} from '../json-schema.ts';
import { EVENT_TYPE_TEXT } from '../shapes/events.ts';
import { STEP } from './upcasters.ts';
import { parameter } from '../parameters.ts';
import { answer, body, type RouteDoc, type RouteDocs } from '../route-doc.ts';

const VERSION = whole(undefined, { min: 1, max: LIMITS.schemaVersionsMax });

/** A word under the first of several names that is there. */
function worded(words: readonly string[], names: readonly string[]): JsonSchema {
  const [name = '', ...others] = names;
  const description = `One of ${words.join(', ')}, in any case.`;
  return {
    type: 'object',
    properties: {
      [name]: { description },
      ...Object.fromEntries(
        others.map((other) => [other, { description: `Another name of \`${name}\`.` }]),
      ),
    },
    ...firstOf(names, wordOf(words)),
  };
}

const REGISTER = {
  ...object(
    {
      schema: {
        type: ['object', 'boolean'],
        description: `A JSON Schema of at most ${LIMITS.schemaBytesMax} bytes; the schemas guide says which words are taken.`,
      },
    },
    {
      subject: anything('The event type.'),
      event_type: anything('Another name of `subject`.'),
      description: orNull(text(undefined, { maxLength: 10_000 })),
      tags: orNull(list(text(undefined, { maxLength: 200 }), { maxItems: 100 })),
      version: orNull(VERSION),
      upcaster: {
        description:
          'The step from the version before, as `PUT /schemas/{subject}/upcasters` takes it.',
        anyOf: [STEP, { type: 'null' }],
      },
    },
  ),
  ...firstOf(['subject', 'event_type'], EVENT_TYPE_TEXT, true),
};

const register: RouteDoc = {
  id: 'registerSchema',
  tag: 'Schemas',
  description:
    'Registers the next version of the schema of an event type. It must be compatible with the version before.',
  body: body(REGISTER, {
    subject: 'order.shipped',
    schema: {
      type: 'object',
      required: ['carrier'],
      properties: { carrier: { type: 'string' } },
    },
    description: 'An order has left.',
  }),
  answers: { 200: answer('It is registered.', named('SchemaRegistration')) },
  errors: [
    'invalid_body',
    'invalid_event_type',
    'invalid_schema',
    'schema_incompatible',
    'invalid_upcaster',
    'upcasters_incomplete',
    'too_many_schemas',
  ],
};

const listed: RouteDoc = {
  id: 'listSchemas',
  tag: 'Schemas',
  answers: {
    200: answer('The event types.', object({ subjects: list(text()), total: whole() })),
  },
};

const one: RouteDoc = {
  id: 'getSchema',
  tag: 'Schemas',
  query: { version: parameter('A version; the newest when left out.', VERSION, 1) },
  answers: { 200: answer('The schema.', named('SchemaFacts')) },
  errors: ['schema_not_found', 'invalid_parameter'],
};

export const SCHEMA_ROUTES: RouteDocs = {
  'POST /schemas': register,
  'GET /schemas': listed,
  'GET /schemas/:subject': one,
  'POST /schemas/validate': {
    id: 'validatePayload',
    tag: 'Schemas',
    description: 'Holds a payload against a schema; nothing is stored.',
    body: body(
      {
        ...object(
          {},
          {
            subject: anything('The event type.'),
            event_type: anything('Another name of `subject`.'),
            payload: anything(),
            data: anything('Another name of `payload`.'),
            version: orNull(
              whole('The newest when left out.', { min: 1, max: Number.MAX_SAFE_INTEGER }),
            ),
          },
        ),
        allOf: [
          firstOf(['subject', 'event_type'], text(), true),
          firstOf(['payload', 'data'], anything()),
        ],
      },
      { subject: 'order.placed', payload: { customer: 'c-7', amount: 4200 } },
    ),
    answers: {
      200: answer(
        'The judgement.',
        object({
          valid: flag(),
          errors: list(text()),
          schema_version: whole(),
          violations: list(object({ pointer: text(), rule: text(), message: text() })),
        }),
      ),
    },
    errors: ['invalid_body', 'schema_not_found'],
  },
  'GET /schemas/:subject/versions': {
    id: 'listSchemaVersions',
    tag: 'Schemas',
    answers: {
      200: answer('The versions.', object({ subject: text(), versions: list(whole()) })),
    },
    errors: ['schema_not_found'],
  },
  'PUT /schemas/:subject/compatibility': {
    id: 'setSchemaCompatibility',
    tag: 'Schemas',
    description: 'Sets what a further version of the schema has to keep.',
    body: body(worded(COMPATIBILITY_MODES, ['compatibility', 'mode']), {
      compatibility: 'BACKWARD',
    }),
    answers: {
      200: answer(
        'It is set.',
        object({ subject: text(), compatibility: oneOf(COMPATIBILITY_MODES) }),
      ),
    },
    errors: ['invalid_body', 'invalid_event_type', 'too_many_schemas'],
  },
  'PUT /tenants/:tenantId/schema-enforcement': {
    id: 'setSchemaEnforcement',
    tag: 'Schemas',
    tenant: false,
    description: 'Sets what a tenant does about payloads that do not fit their schemas.',
    body: body(worded(SCHEMA_ENFORCEMENTS, ['schema_enforcement', 'mode', 'enforcement']), {
      schema_enforcement: 'warn',
    }),
    answers: {
      200: answer(
        'It is set.',
        object({ tenant_id: text(), schema_enforcement: oneOf(SCHEMA_ENFORCEMENTS) }),
      ),
    },
    errors: ['invalid_body', 'tenant_not_found'],
  },
};

/** Clients of the path without a version expect these answers in a member `data`, and 201 for what they create. */
export const UNVERSIONED_SCHEMA_ROUTES: RouteDocs = {
  'POST /api/schemas': {
    ...register,
    answers: { 201: answer('It is registered.', object({ data: named('SchemaFacts') })) },
  },
  'GET /api/schemas': {
    ...listed,
    answers: {
      200: answer('The schemas.', object({ data: list(named('SchemaFacts')), count: whole() })),
    },
  },
  'GET /api/schemas/:subject': {
    ...one,
    answers: { 200: answer('The schema.', object({ data: named('SchemaFacts') })) },
  },
};
