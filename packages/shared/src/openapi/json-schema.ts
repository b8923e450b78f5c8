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
