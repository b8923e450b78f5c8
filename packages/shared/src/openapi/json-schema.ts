/** JSON Schema 2020-12, as OpenAPI 3.1 uses it, and the few words with which the documents of the routes are written. */
export type JsonSchema = { readonly [keyword: string]: unknown };

type Members = Readonly<Record<string, JsonSchema>>;
type Facts = Readonly<Record<string, unknown>>;

/**
 * An object all of whose members are always there, but for those named as optional. Further members are allowed, so that an answer may grow; the
 * test that holds answers against their schemas closes them.
 */
export function object(members: Members, optional: Members = {}, facts: Facts = {}): JsonSchema {
  const required = Object.keys(members);
  return {
    type: 'object',
    ...facts,
    ...(required.length === 0 ? {} : { required }),
    properties: { ...members, ...optional },
  };
}

/** An object of any members, each of this form. */
export function record(values: JsonSchema, facts: Facts = {}): JsonSchema {
  return { type: 'object', ...facts, additionalProperties: values };
}

export function list(items: JsonSchema, facts: Facts = {}): JsonSchema {
  return { type: 'array', ...facts, items };
}

export function text(description?: string, facts: Facts = {}): JsonSchema {
  return { type: 'string', ...described(description), ...facts };
}

/** A whole number of at least 0, or within the given bounds. */
export function whole(
  description?: string,
  { min = 0, max }: { readonly min?: number; readonly max?: number } = {},
): JsonSchema {
  const bounds = { minimum: min, ...(max === undefined ? {} : { maximum: max }) };
  return { type: 'integer', ...described(description), ...bounds };
}

export function number(description?: string): JsonSchema {
  return { type: 'number', ...described(description) };
}

export function flag(description?: string): JsonSchema {
  return { type: 'boolean', ...described(description) };
}

export function oneOf(words: readonly string[], description?: string): JsonSchema {
  return { type: 'string', ...described(description), enum: words };
}

function anyCase(word: string): string {
  return word.replaceAll(/[a-z]/gi, (letter) => `[${letter.toUpperCase()}${letter.toLowerCase()}]`);
}

/** One of some words, which are understood in any case. */
export function wordOf(words: readonly string[]): JsonSchema {
  const pattern = `^(?:${words.map(anyCase).join('|')})$`;
  return text(`One of ${words.join(', ')}, in any case.`, { pattern });
}

/**
 * A member that has several names: the first of them that is there must be of this form, and one must be there. With `isNullAbsent` a null is as good as
 * nothing. The names are also `properties` of their own, so that readers find them.
 */
export function firstOf(
  names: readonly string[],
  schema: JsonSchema,
  isNullAbsent = false,
): JsonSchema {
  const [name = '', ...others] = names;
  const wanted = { required: [name], properties: { [name]: schema } };
  if (others.length === 0) return wanted;
  const isThere = isNullAbsent ? { properties: { [name]: { not: { type: 'null' } } } } : {};
  return {
    if: { required: [name], ...isThere },
    // JSON Schema has a word that JavaScript gives a meaning to; no promise is made of this.
    // oxlint-disable-next-line unicorn/no-thenable
    then: wanted,
    else: firstOf(others, schema, isNullAbsent),
  };
}

/** Always this text. */
export function constant(value: string | boolean): JsonSchema {
  return { const: value };
}

/** An RFC 3339 instant with a zone. */
export function instant(description?: string): JsonSchema {
  return { type: 'string', ...described(description), format: 'date-time' };
}

export function uuid(description?: string): JsonSchema {
  return { type: 'string', ...described(description), format: 'uuid' };
}

/** Any JSON value. */
export function anything(description?: string): JsonSchema {
  return { ...described(description) };
}

/** This, or null. */
export function orNull(schema: JsonSchema): JsonSchema {
  const { type, enum: words } = schema;
  if (typeof type !== 'string') return { anyOf: [schema, { type: 'null' }] };
  const nullable = { ...schema, type: [type, 'null'] };
  return Array.isArray(words) ? { ...nullable, enum: [...words, null] } : nullable;
}

/** A schema of schemas.ts by its name. */
export function named(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

function described(description: string | undefined): { readonly description?: string } {
  return description === undefined ? {} : { description };
}
