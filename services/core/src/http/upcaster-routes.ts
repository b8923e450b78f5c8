import {
  type Call,
  readBody,
  requireJson,
  requireWellFormedJson,
  type Route,
} from '@allsource/service-kit/http';
import type { SchemaUpcaster } from '@allsource/schemas/registry';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { formatTimestamp, quoted } from '@allsource/shared/model';
import { parseUpcasterDraft, parseUpcasterDrafts } from '../schemas/parse-upcaster-draft.ts';
import type { SubjectKey, UpcasterService } from '../schemas/upcaster-service.ts';

/** The mappings, and samples to try them with. */
export const UPCASTER_BODY_BYTES_MAX = LIMITS.upcasterBytesMax + 1024 * 1024;
const PATH = '/api/v1/schemas/:subject/upcasters';

/** The routes of upcasters: the steps between the versions of a schema. */
export function upcasterRoutes(upcasters: UpcasterService): Route[] {
  return [
    {
      method: 'GET',
      path: PATH,
      needs: 'read',
      summary: 'The steps between the versions of a schema, and whether they are complete.',
      handle: (call) => list(call, upcasters),
    },
    {
      method: 'PUT',
      path: PATH,
      needs: 'manage_schemas',
      summary: 'Sets all steps between the versions of a schema at once.',
      handle: (call) => setAll(call, upcasters),
    },
    {
      method: 'GET',
      path: `${PATH}/:fromVersion`,
      needs: 'read',
      summary: 'The step that begins at a version.',
      handle: (call) => get(call, upcasters),
    },
    {
      method: 'PUT',
      path: `${PATH}/:fromVersion`,
      needs: 'manage_schemas',
      summary: 'Sets the step that begins at a version.',
      handle: (call) => set(call, upcasters),
    },
    {
      method: 'DELETE',
      path: `${PATH}/:fromVersion`,
      needs: 'manage_schemas',
      summary: 'Removes the step that begins at a version.',
      handle: (call) => remove(call, upcasters),
    },
  ];
}

function keyOf(call: Call): SubjectKey {
  return { tenant: call.tenant(), subject: call.pathParameter('subject') };
}

function fromVersionOf(call: Call): number {
  const text = call.pathParameter('fromVersion');
  const version = Number(text);
  if (/^\d{1,9}$/.test(text) && version >= 1) return version;
  throw problem(
    'invalid_parameter',
    `The version in the path is ${quoted(text)}; allowed is a whole number from 1.`,
    { parameter: 'from_version' },
  );
}

function list(call: Call, upcasters: UpcasterService): void {
  call.json(200, chainJson(keyOf(call), upcasters));
}

function chainJson(key: SubjectKey, upcasters: UpcasterService): string {
  const { newestVersion, versionsWithoutPath, upcasters: steps } = upcasters.chain(key);
  const facts = {
    subject: key.subject,
    newest_version: newestVersion,
    complete: versionsWithoutPath.length === 0,
    versions_without_path: versionsWithoutPath,
  };
  return `${JSON.stringify(facts).slice(0, -1)},"upcasters":[${steps.map(upcasterJson).join(',')}]}`;
}

/** A step with its mappings as they were sent. */
function upcasterJson(step: SchemaUpcaster): string {
  const facts = {
    subject: step.subject,
    from_version: step.fromVersion,
    to_version: step.toVersion,
    description: step.description,
    created_at: formatTimestamp(step.createdAt),
  };
  const { work } = step;
  if ('function' in work) return JSON.stringify({ ...facts, function: work.function });
  return `${JSON.stringify(facts).slice(0, -1)},"mappings":${work.mappings}}`;
}

function get(call: Call, upcasters: UpcasterService): void {
  call.json(200, upcasterJson(upcasters.find(keyOf(call), fromVersionOf(call))));
}

async function set(call: Call, upcasters: UpcasterService): Promise<void> {
  const key = keyOf(call);
  const fromVersion = fromVersionOf(call);
  const body = await bodyOf(call, UPCASTER_BODY_BYTES_MAX);
  const draft = parseUpcasterDraft(body.toString(), { pointer: '', fromVersion });
  const tried = await upcasters.set(key, draft);
  const step = upcasterJson(upcasters.find(key, fromVersion));
  call.json(200, `${step.slice(0, -1)},"samples_tried":${tried}}`);
}

async function setAll(call: Call, upcasters: UpcasterService): Promise<void> {
  const key = keyOf(call);
  const drafts = parseUpcasterDrafts(await bodyOf(call, LIMITS.bodyBytesMax));
  const tried = await upcasters.setAll(key, drafts);
  call.json(200, `${chainJson(key, upcasters).slice(0, -1)},"samples_tried":${tried}}`);
}

async function bodyOf(call: Call, bytesMax: number): Promise<Buffer> {
  requireJson(call.request);
  const body = await readBody(call.request, bytesMax);
  requireWellFormedJson(body);
  return body;
}

async function remove(call: Call, upcasters: UpcasterService): Promise<void> {
  const key = keyOf(call);
  const fromVersion = fromVersionOf(call);
  await upcasters.remove(key, fromVersion);
  call.json(200, { subject: key.subject, from_version: fromVersion, deleted: true });
}
