import { type Html, html } from './html.ts';

type Schema = Readonly<Record<string, unknown>>;

const REFERENCE = /^#\/components\/schemas\/(\w+)$/;
const INDENT = '  ';

/** A schema as people write types: `{ count: integer, events: [Event] }`, with links to the named ones. */
export function schemaWords(schema: unknown, depth = 0): Html {
  if (!isSchema(schema)) return html`anything`;
  const { $ref, const: value, enum: words, type } = schema;
  if (typeof $ref === 'string') return linkTo($ref);
  if (value !== undefined) return html`${JSON.stringify(value)}`;
  if (Array.isArray(words)) return alternatives(words.map((word) => html`${JSON.stringify(word)}`));
  for (const several of [schema['anyOf'], schema['oneOf']])
    if (Array.isArray(several) && schema['properties'] === undefined)
      return alternatives(several.map((one) => schemaWords(one, depth)));
  if (Array.isArray(type))
    return alternatives(type.map((one) => schemaWords({ ...schema, type: one }, depth)));
  if (type === 'array') return html`[${schemaWords(schema['items'], depth)}]`;
  if (type === 'object' || schema['properties'] !== undefined) return objectWords(schema, depth);
  return html`${plainWords(schema)}`;
}

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function linkTo(reference: string): Html {
  const name = REFERENCE.exec(reference)?.[1] ?? reference;
  return html`<a href="#schema-${name}">${name}</a>`;
}

function alternatives(parts: readonly Html[]): Html {
  return html`${parts.map((part, i) => (i === 0 ? part : html` | ${part}`))}`;
}

function plainWords({ type, format, minimum, maximum, maxLength }: Schema): string {
  const limits = [
    typeof minimum === 'number' && minimum !== 0 ? `from ${minimum}` : '',
    typeof maximum === 'number' && maximum < Number.MAX_SAFE_INTEGER ? `to ${maximum}` : '',
    typeof maxLength === 'number' ? `at most ${maxLength} long` : '',
  ].filter((limit) => limit !== '');
  const name = typeof format === 'string' ? format : typeof type === 'string' ? type : 'anything';
  return limits.length === 0 ? name : `${name} (${limits.join(' ')})`;
}

function objectWords(schema: Schema, depth: number): Html {
  const { properties, additionalProperties } = schema;
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : []);
  const members = isSchema(properties) ? Object.entries(properties) : [];
  if (members.length === 0)
    return isSchema(additionalProperties)
      ? html`{ [name]: ${schemaWords(additionalProperties, depth + 1)} }`
      : html`{ … }`;
  const indent = INDENT.repeat(depth + 1);
  const lines = members.map(([name, member]) =>
    memberLine({ name, member, depth, indent, isOptional: !required.has(name) }),
  );
  return html`{${lines}
${INDENT.repeat(depth)}}`;
}

interface MemberLine {
  readonly name: string;
  readonly member: unknown;
  readonly depth: number;
  readonly indent: string;
  readonly isOptional: boolean;
}

function memberLine({ name, member, depth, indent, isOptional }: MemberLine): Html {
  const description = isSchema(member) ? member['description'] : undefined;
  const comment = typeof description === 'string' ? html`<i> — ${description}</i>` : html``;
  return html`
${indent}${name}${isOptional ? '?' : ''}: ${schemaWords(member, depth + 1)}${comment}`;
}
