/** How the schemas of a tenant have changed: versions with what each changed of the one before. Read from the fold of core's log. */
import type { Call, Route } from '@allsource/service-kit/http';
import { type SchemaDiff, structuralDiff } from '@allsource/schemas/json-schema';
import type { SchemaFold, SchemaSubject, SchemaVersion } from '@allsource/schemas/registry';
import { versionsWithoutPath } from '@allsource/schemas/upcasting';
import { problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { formatTimestamp, micros, quoted } from '@allsource/shared/model';
import { COMPATIBILITY_MODES } from '@allsource/shared/protocol';
import { Turns } from '@allsource/service-kit/turns';
import { API_BASES } from '../gateway/api-path.ts';
import { JsonWriter } from '../reads/json-writer.ts';
import type { ReadGate } from '../reads/read-gate.ts';

export interface SchemaEvolutionRoutesOptions {
  readonly schemas: SchemaFold;
  readonly gate: ReadGate;
}

const VERSIONS_DEFAULT = 100;
const WITHOUT_PATH_SHOWN = 100;

/** The history of schemas. */
export function schemaEvolutionRoutes(options: SchemaEvolutionRoutesOptions): Route[] {
  return API_BASES.flatMap((base): Route[] => [
    {
      method: 'GET',
      path: `${base}/schema-evolution/stats`,
      needs: 'read',
      summary: 'How many schemas, versions and upcasters the tenant has.',
      handle: (call) => answerStats(call, options),
    },
    {
      method: 'GET',
      path: `${base}/schema-evolution/history/:eventType`,
      needs: 'read',
      summary: 'The versions of a schema, and what each has changed.',
      handle: (call) => answerHistory(call, options),
    },
    {
      method: 'GET',
      path: `${base}/schema-evolution/schema/:eventType`,
      needs: 'read',
      summary: 'The newest version of a schema, with a list of all versions.',
      handle: (call) => answerSchema(call, options),
    },
  ]);
}

/** The schema that the path names, of the caller's tenant. Throws `schema_not_found`. */
async function subjectOf(
  call: Call,
  { schemas, gate }: SchemaEvolutionRoutesOptions,
): Promise<SchemaSubject & { readonly name: string }> {
  const tenant = call.tenant();
  const name = call.pathParameter('eventType');
  await gate.admit(call);
  const subject = schemas.subject(tenant, name);
  if (subject !== null && subject.versions.length > 0) return { ...subject, name };
  throw problem('schema_not_found', `There is no schema of the subject ${quoted(name)}.`, {
    subject: name,
  });
}

async function answerHistory(call: Call, options: SchemaEvolutionRoutesOptions): Promise<void> {
  const limits = { min: 1, max: LIMITS.schemaVersionsMax };
  const limit = call.query.integer('limit', limits) ?? VERSIONS_DEFAULT;
  const offset = call.query.integer('offset', { ...limits, min: 0 }) ?? 0;
  const { name, versions, compatibility } = await subjectOf(call, options);
  const shown = versions.slice(offset, offset + limit);
  const facts = { event_type: name, compatibility, total: versions.length };
  const writer = new JsonWriter(call.response);
  const turns = new Turns();
  writer.text(`${JSON.stringify(facts).slice(0, -1)},"versions":[`);
  let before = parsed(versions[offset - 1]);
  for (const [index, version] of shown.entries()) {
    const after = parsed(version);
    const diff = before === undefined ? NOTHING : structuralDiff(before, after, CHANGES_MAX);
    before = after;
    writer.text(`${index === 0 ? '' : ','}${JSON.stringify(historyEntry(version, diff))}`);
    if (writer.isFull && !(await writer.flush())) return;
    if (turns.isTurnOver) await turns.nextTurn();
  }
  writer.text(`],"has_more":${offset + shown.length < versions.length}}`);
  writer.end();
}

const CHANGES_MAX = LIMITS.schemaChangesMax;
const NOTHING: SchemaDiff = { changes: [], isCut: false };

function parsed(version: SchemaVersion | undefined): unknown {
  return version === undefined ? undefined : JSON.parse(version.text);
}

function historyEntry(version: SchemaVersion, { changes, isCut }: SchemaDiff) {
  return {
    ...versionFacts(version),
    compatibility: version.compatibility,
    previous_version: version.version === 1 ? null : version.version - 1,
    changes,
    changes_cut: isCut,
  };
}

function versionFacts({ version, id, createdAt, position, description, tags }: SchemaVersion) {
  return {
    version,
    schema_id: id,
    created_at: formatTimestamp(createdAt),
    position,
    description,
    tags,
  };
}

async function answerSchema(call: Call, options: SchemaEvolutionRoutesOptions): Promise<void> {
  const { name, versions, compatibility, upcasters } = await subjectOf(call, options);
  const newest = versions.at(-1) as SchemaVersion;
  const without = versionsWithoutPath(upcasters, versions.length);
  const facts = {
    event_type: name,
    compatibility,
    ...versionFacts(newest),
    upcasters: {
      count: upcasters.size,
      complete: without.length === 0,
      versions_without_path: without.slice(0, WITHOUT_PATH_SHOWN),
    },
    versions: versions.map(({ version, createdAt }) => ({
      version,
      created_at: formatTimestamp(createdAt),
    })),
  };
  // The schema itself as it was sent.
  call.json(200, `${JSON.stringify(facts).slice(0, -1)},"schema":${newest.text}}`);
}

async function answerStats(call: Call, options: SchemaEvolutionRoutesOptions): Promise<void> {
  const tenant = call.tenant();
  await options.gate.admit(call);
  const { schemas } = options;
  const counts = { subjects: 0, versions: 0, upcasters: 0, incomplete: 0, newest: 0 };
  const modes = Object.fromEntries(COMPATIBILITY_MODES.map((mode) => [mode, 0]));
  const turns = new Turns();
  for (const { versions, upcasters, compatibility } of schemas.subjects(tenant).values()) {
    if (turns.isTurnOver) await turns.nextTurn();
    if (versions.length === 0) continue;
    counts.subjects += 1;
    counts.versions += versions.length;
    counts.upcasters += upcasters.size;
    modes[compatibility] = (modes[compatibility] ?? 0) + 1;
    counts.newest = Math.max(counts.newest, versions.at(-1)?.createdAt ?? 0);
    if (upcasters.size > 0 && versionsWithoutPath(upcasters, versions.length).length > 0)
      counts.incomplete += 1;
  }
  call.json(200, {
    total_subjects: counts.subjects,
    total_versions: counts.versions,
    total_upcasters: counts.upcasters,
    subjects_with_incomplete_upcasters: counts.incomplete,
    subjects_by_compatibility: modes,
    schema_enforcement: schemas.enforcement(tenant),
    bytes: schemas.bytes(tenant),
    bytes_max: LIMITS.schemaTenantBytesMax,
    last_registered_at: counts.newest === 0 ? null : formatTimestamp(micros(counts.newest)),
  });
}
