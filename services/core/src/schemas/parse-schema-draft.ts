import { problem } from '@allsource/shared/errors';
import { rawMembers } from '@allsource/shared/json';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';
import type { SchemaDraft } from './schema-draft.ts';

const DESCRIPTION_LENGTH_MAX = 10_000;
const TAGS_MAX = 100;
const TAG_LENGTH_MAX = 200;

/** Reads `{"subject", "schema", "description"?, "tags"?, "version"?, "upcaster"?}`; the schema stays as it was sent. The body must be valid JSON. */
export function parseSchemaDraft(body: Uint8Array): SchemaDraft {
  const members = rawMembers(body);
  if (members === null) throw problem('invalid_body', 'The body must be a JSON object.');
  const text = members.get('schema');
  if (text === undefined) throw invalid('schema', "'schema' is missing: a JSON Schema.");
  const upcaster = members.get('upcaster') ?? 'null';
  return {
    subject: textMember(members, 'subject', 'event_type'),
    text,
    description: description(valueOf(members, 'description')),
    tags: tags(valueOf(members, 'tags')),
    version: version(valueOf(members, 'version')),
    upcaster: upcaster === 'null' ? null : upcaster,
  };
}

/** A text that stands under one of two names. */
export function textMember(
  members: ReadonlyMap<string, string>,
  name: string,
  otherName: string,
): string {
  const value = valueOf(members, name) ?? valueOf(members, otherName);
  if (typeof value === 'string') return value;
  const fault = value === null ? 'is missing; it' : `is ${quoted(JSON.stringify(value))}; it`;
  throw invalid(name, `'${name}' ${fault} must be a text, the event type.`);
}

function valueOf(members: ReadonlyMap<string, string>, name: string): unknown {
  return JSON.parse(members.get(name) ?? 'null');
}

function description(value: unknown): string | null {
  if (value === null) return null;
  if (typeof value === 'string' && value.length <= DESCRIPTION_LENGTH_MAX) return value;
  throw invalid(
    'description',
    `'description' must be a text of at most ${DESCRIPTION_LENGTH_MAX} characters.`,
  );
}

function tags(value: unknown): string[] {
  if (value === null) return [];
  const isGood =
    Array.isArray(value) &&
    value.length <= TAGS_MAX &&
    value.every((tag) => typeof tag === 'string' && tag.length <= TAG_LENGTH_MAX);
  if (isGood) return value;
  throw invalid(
    'tags',
    `'tags' must be a list of at most ${TAGS_MAX} texts of at most ${TAG_LENGTH_MAX} characters.`,
  );
}

function version(value: unknown): number | null {
  if (value === null) return null;
  const isGood =
    typeof value === 'number' &&
    Number.isInteger(value) &&
    value >= 1 &&
    value <= LIMITS.schemaVersionsMax;
  if (isGood) return value;
  throw invalid(
    'version',
    `'version' is ${quoted(JSON.stringify(value))}; allowed is a whole number from 1 to ${LIMITS.schemaVersionsMax}.`,
  );
}

function invalid(member: string, detail: string): Error {
  return problem('invalid_body', detail, { pointer: `/${member}` });
}
