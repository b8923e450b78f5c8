import { LIMITS } from '@allsource/shared/limits';
import { projectionNameFault } from '@allsource/shared/model';
import { isObject, type Members, refusal, shown } from './members.ts';
import type { EnrichDefinition, EnrichSource } from './operator-definition.ts';
import { optionalFieldPath } from './field-path.ts';
import { pipelineIdFault } from './pipeline-id.ts';

const NAME = { max: 256 };
const CACHE_SECONDS = 60;

/** Reads an `enrich` operator: what is looked up where, and which fields are taken over. */
export function parseEnrich(members: Members): EnrichDefinition {
  const source = parseSource(members);
  const fields = parseFields(members);
  const key = optionalFieldPath(members, 'key');
  const into = members.optionalText('into', NAME);
  const cacheSeconds =
    members.optionalNumber('cache_seconds', { min: 0, max: 86_400 }) ?? CACHE_SECONDS;
  return { type: 'enrich', source, fields, key, into, cacheSeconds };
}

function parseFields(members: Members): string[] {
  return members.list('fields', { min: 1, max: LIMITS.pipelineFieldsMax }).map((field, i) => {
    if (typeof field === 'string' && field !== '' && field.length <= NAME.max) return field;
    const pointer = `${members.at('fields')}/${i}`;
    throw refusal(pointer, `The field is ${shown(field)}; allowed is the name of a member.`);
  });
}

function parseSource(members: Members): EnrichSource {
  const text = members.text('source', { max: 2_048 });
  if (text === 'rows') return { kind: 'rows', rows: parseRows(members) };
  const [kind, rest] = split(text);
  const fault = kind === 'pipeline' ? pipelineIdFault(rest) : null;
  if (kind === 'pipeline' && fault === null) return { kind, id: rest };
  if (kind === 'projection' && projectionNameFault(rest) === null) return { kind, name: rest };
  if (kind === 'http' || kind === 'https') return { kind: 'http', url: requireUrl(members, text) };
  throw refusal(
    members.at('source'),
    `'source' is ${shown(text)}; allowed are rows (with 'rows'), pipeline:<id> (its results), projection:<name> and an http or https URL with {key} in its path or query.`,
  );
}

/** A URL with {key} behind its host, where no key changes who is asked. */
function requireUrl(members: Members, text: string): string {
  const [one, other] = ['a', 'b'].map((key) => text.replaceAll('{key}', key));
  const isKeyed = one !== other && URL.canParse(one ?? '') && URL.canParse(other ?? '');
  if (isKeyed && new URL(one ?? '').origin === new URL(other ?? '').origin) return text;
  throw refusal(
    members.at('source'),
    `'source' is ${shown(text)}; allowed is an http or https URL with {key} in its path or query.`,
  );
}

function split(text: string): [string, string] {
  const colon = text.indexOf(':');
  return colon === -1 ? [text, ''] : [text.slice(0, colon).toLowerCase(), text.slice(colon + 1)];
}

function parseRows(members: Members): Record<string, string> {
  const rows = Object.create(null) as Record<string, string>;
  for (const [key, row] of members.entries('rows', { max: LIMITS.pipelineTableRowsMax })) {
    if (!isObject(row)) {
      throw refusal(
        members.at('rows'),
        `The row ${shown(key)} is ${shown(row)}; allowed is an object.`,
      );
    }
    rows[key] = JSON.stringify(row);
  }
  return rows;
}
