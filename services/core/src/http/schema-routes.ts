import {
  type Call,
  readBody,
  readJsonObject,
  requireJson,
  requireWellFormedJson,
  type Route,
} from '@allsource/service-kit/http';
import { problem } from '@allsource/shared/errors';
import { rawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import { formatTimestamp, quoted } from '@allsource/shared/model';
import { COMPATIBILITY_MODES, SCHEMA_ENFORCEMENTS } from '@allsource/shared/protocol';
import { parseSchemaDraft, textMember } from '../schemas/parse-schema-draft.ts';
import type { SchemaVersion } from '@allsource/schemas/registry';
import type { SchemaService } from '../schemas/schema-service.ts';
import { violationText } from '../schemas/violation-text.ts';
import { UPCASTER_BODY_BYTES_MAX } from './upcaster-routes.ts';

const SMALL_BODY_BYTES_MAX = 64 * 1024;
const REGISTER_BODY_BYTES_MAX =
  LIMITS.schemaBytesMax + UPCASTER_BODY_BYTES_MAX + SMALL_BODY_BYTES_MAX;
const VALIDATE_BODY_BYTES_MAX = LIMITS.payloadBytesMax + SMALL_BODY_BYTES_MAX;

/** The routes of schemas, and of what a tenant does about payloads that do not fit. */
export function schemaRoutes(schemas: SchemaService): Route[] {
  return [
    {
      method: 'POST',
      path: '/api/v1/schemas',
      needs: 'manage_schemas',
      summary:
        'Registers the next version of the schema of an event type, with the step to it if given.',
      handle: (call) => register(call, schemas),
    },
    {
      method: 'GET',
      path: '/api/v1/schemas',
      needs: 'read',
      summary: 'The event types that have schemas.',
      handle: (call) => list(call, schemas),
    },
    {
      method: 'POST',
      path: '/api/v1/schemas/validate',
      needs: 'read',
      summary: 'Holds a payload against a schema; nothing is stored.',
      handle: (call) => validate(call, schemas),
    },
    {
      method: 'GET',
      path: '/api/v1/schemas/:subject/versions',
      needs: 'read',
      summary: 'The versions of a schema.',
      handle: (call) => versions(call, schemas),
    },
    {
      method: 'PUT',
      path: '/api/v1/schemas/:subject/compatibility',
      needs: 'manage_schemas',
      summary: 'Sets what a further version of a schema has to keep.',
      handle: (call) => setCompatibility(call, schemas),
    },
    {
      method: 'GET',
      path: '/api/v1/schemas/:subject',
      needs: 'read',
      summary: 'A schema: its newest version, or the one asked for.',
      handle: (call) => get(call, schemas),
    },
    {
      method: 'PUT',
      path: '/api/v1/tenants/:tenantId/schema-enforcement',
      needs: 'manage_tenants',
      summary: 'Sets what a tenant does about payloads that do not fit their schemas.',
      handle: (call) => setEnforcement(call, schemas),
    },
  ];
}

/** Clients of the path without a version expect what they asked for in a member `data`. */
function wantsData(call: Call): boolean {
  return /\benvelope=data\b/.test(String(call.request.headers.prefer));
}

async function register(call: Call, schemas: SchemaService): Promise<void> {
  const tenant = call.tenant();
  requireJson(call.request);
  const body = await readBody(call.request, REGISTER_BODY_BYTES_MAX);
  requireWellFormedJson(body);
  const registered = await schemas.register(tenant, parseSchemaDraft(body));
  if (wantsData(call))
    call.json(200, dataJson(registered, schemas.compatibility(tenant, registered.subject)));
  else {
    const leftBehind = schemas.versionsLeftBehind(tenant, registered.subject);
    call.json(200, {
      schema_id: registered.id,
      subject: registered.subject,
      version: registered.version,
      created_at: formatTimestamp(registered.createdAt),
      ...(leftBehind.length === 0 ? {} : { versions_without_path: leftBehind }),
    });
  }
}

function list(call: Call, schemas: SchemaService): void {
  const tenant = call.tenant();
  const newest = schemas.list(tenant);
  if (wantsData(call)) {
    const data = newest.map((schema) =>
      factsOf(schema, schemas.compatibility(tenant, schema.subject)),
    );
    call.json(200, { data, count: data.length });
  } else call.json(200, { subjects: newest.map(({ subject }) => subject), total: newest.length });
}

function get(call: Call, schemas: SchemaService): void {
  const tenant = call.tenant();
  const version = call.query.integer('version', { min: 1, max: LIMITS.schemaVersionsMax });
  const schema = schemas.find(tenant, call.pathParameter('subject'), version);
  const compatibility = schemas.compatibility(tenant, schema.subject);
  call.json(
    200,
    wantsData(call) ? dataJson(schema, compatibility) : schemaJson(schema, compatibility),
  );
}

function dataJson(schema: SchemaVersion, compatibility: string): string {
  return `{"data":${schemaJson(schema, compatibility)}}`;
}

/** The schema itself as it was sent. */
function schemaJson(schema: SchemaVersion, compatibility: string): string {
  return `${JSON.stringify(factsOf(schema, compatibility)).slice(0, -1)},"schema":${schema.text}}`;
}

function factsOf(schema: SchemaVersion, compatibility: string) {
  const { id, subject, version, createdAt, description, tags } = schema;
  return {
    id,
    subject,
    event_type: subject,
    version,
    created_at: formatTimestamp(createdAt),
    description,
    tags,
    compatibility,
  };
}

function versions(call: Call, schemas: SchemaService): void {
  const subject = call.pathParameter('subject');
  const all = schemas.versions(call.tenant(), subject);
  call.json(200, { subject, versions: all.map(({ version }) => version) });
}

async function validate(call: Call, schemas: SchemaService): Promise<void> {
  const tenant = call.tenant();
  requireJson(call.request);
  const bytes = await readBody(call.request, VALIDATE_BODY_BYTES_MAX);
  requireWellFormedJson(bytes);
  const members = rawMembers(bytes) ?? new Map<string, string>();
  const subject = textMember(members, 'subject', 'event_type');
  const text = members.get('payload') ?? members.get('data');
  if (text === undefined)
    throw problem('invalid_body', "'payload' is missing: the JSON value to validate.", {
      pointer: '/payload',
    });
  const judgement = schemas.validate(tenant, {
    subject,
    payload: JSON.parse(text),
    bytes: text.length,
    version: versionMember(members.get('version')),
  });
  call.json(200, {
    valid: judgement.isValid,
    errors: judgement.violations.map(violationText),
    schema_version: judgement.version,
    violations: judgement.violations,
  });
}

function versionMember(text: string | undefined): number | null {
  if (text === undefined || text === 'null') return null;
  const version: unknown = JSON.parse(text);
  if (typeof version === 'number' && Number.isSafeInteger(version) && version >= 1) return version;
  throw problem('invalid_body', `'version' is ${quoted(text)}; allowed is a whole number from 1.`, {
    pointer: '/version',
  });
}

async function setCompatibility(call: Call, schemas: SchemaService): Promise<void> {
  const subject = call.pathParameter('subject');
  const tenant = call.tenant();
  const body = await readJsonObject(call.request, SMALL_BODY_BYTES_MAX);
  const compatibility = oneOf(COMPATIBILITY_MODES, body, ['compatibility', 'mode']);
  await schemas.setCompatibility(tenant, subject, compatibility);
  call.json(200, { subject, compatibility });
}

async function setEnforcement(call: Call, schemas: SchemaService): Promise<void> {
  const body = await readJsonObject(call.request, SMALL_BODY_BYTES_MAX);
  const enforcement = oneOf(SCHEMA_ENFORCEMENTS, body, [
    'schema_enforcement',
    'mode',
    'enforcement',
  ]);
  const tenantId = call.pathParameter('tenantId');
  await schemas.setEnforcement(tenantId, enforcement);
  call.json(200, { tenant_id: tenantId, schema_enforcement: enforcement });
}

/** The word of a list that a body says under one of several names, in any case. */
function oneOf<T extends string>(
  words: readonly T[],
  body: Record<string, unknown>,
  names: readonly [string, ...string[]],
): T {
  const name = names.find((known) => body[known] !== undefined) ?? names[0];
  const said = body[name];
  const word = words.find(
    (known) => typeof said === 'string' && known.toLowerCase() === said.toLowerCase(),
  );
  if (word !== undefined) return word;
  const given =
    said === undefined ? 'missing' : quoted(typeof said === 'string' ? said : JSON.stringify(said));
  throw problem('invalid_body', `'${name}' is ${given}; allowed are ${words.join(', ')}.`, {
    pointer: `/${name}`,
    allowed: words,
  });
}
