/**
 * Payloads that a schema takes, made from the schema, so that an upcaster can be tried before there is an event. It follows what schemas of events usually say; of what it
 * makes, only what the schema takes counts. Deterministic.
 */
import { LIMITS } from '@allsource/shared/limits';
import type { CompiledSchema } from '../json-schema/compiled-schema.ts';
import { isObject, type JsonObject, keyword } from '../json-schema/schema-document.ts';
import { payloadSteps } from '../registry/validation-budget.ts';
import { unescapeToken } from '../json-schema/validation-run.ts';

/** Deeper schemas are left out. */
const DEPTH_MAX = 12;
/** Parts of schemas that are looked at for all samples together: about 10 ms. */
const PARTS_MAX = 10_000;
const ITEMS_MAX = 3;
/** Characters of a text and items of an array. */
const TEXT_MAX = 1_000;
const TEXT = 'sample';
const FORMATS: Readonly<Record<string, string>> = {
  'date-time': '2026-01-02T03:04:05Z',
  date: '2026-01-02',
  time: '03:04:05Z',
  email: 'someone@example.com',
  uuid: '123e4567-e89b-12d3-a456-426614174000',
  uri: 'https://example.com/',
};

/** Up to `upcasterSamplesMax` payloads, as JSON texts, that the schema takes: one with all it declares, one with what it requires, and some in between. */
export function samplePayloads(compiled: CompiledSchema): string[] {
  const root = compiled.document.root.schema;
  const options = isObject(root) ? optionalMembers(root) : [];
  const wishes: Wish[] = [
    () => true,
    () => false,
    ...options.slice(0, LIMITS.upcasterSamplesMax - 2).map(
      (left): Wish =>
        (name, depth) => {
          return depth > 1 || name !== left;
        },
    ),
  ];
  const work = { parts: PARTS_MAX };
  const texts = wishes.map((wish) => JSON.stringify(new SampleMaker(root, { wish, work }).make()));
  return [...new Set(texts)].filter(
    (text) => compiled.judge(JSON.parse(text), payloadSteps(text.length)).kind === 'good',
  );
}

/** Whether an optional member at a depth is wanted. */
type Wish = (name: string, depth: number) => boolean;

function optionalMembers(schema: JsonObject): string[] {
  const required = requiredOf(schema);
  return Object.keys(objectOf(schema, 'properties')).filter((name) => !required.includes(name));
}

class SampleMaker {
  readonly #root: unknown;
  readonly #wish: Wish;
  /** Parts that may still be looked at. */
  readonly #work: { parts: number };

  constructor(
    root: unknown,
    { wish, work }: { readonly wish: Wish; readonly work: { parts: number } },
  ) {
    this.#root = root;
    this.#wish = wish;
    this.#work = work;
  }

  make(): unknown {
    return this.#value(this.#root, 0);
  }

  #value(part: unknown, depth: number): unknown {
    if (!isObject(part) || depth > DEPTH_MAX || this.#work.parts-- <= 0) return TEXT;
    const schema = this.#merged(part);
    if (keyword(schema, 'const') !== undefined) return keyword(schema, 'const');
    for (const name of ['enum', 'examples']) {
      const values = keyword(schema, name);
      if (Array.isArray(values) && values.length > 0) return values[0];
    }
    if (keyword(schema, 'default') !== undefined) return keyword(schema, 'default');
    const type = typeOf(schema);
    if (type === 'object') return this.#object(schema, depth);
    if (type === 'array') return this.#array(schema, depth);
    if (type === 'number' || type === 'integer') return numberFor(schema, type);
    if (type === 'boolean') return true;
    return type === 'null' ? null : textFor(schema);
  }

  /** A schema with what it refers to and the first of its alternatives laid over it. */
  #merged(part: JsonObject): JsonObject {
    let merged = part;
    for (let rounds = 0; rounds < DEPTH_MAX; rounds++) {
      const { $ref, allOf, anyOf, oneOf, ...rest } = merged;
      const inner = [
        ...(typeof $ref === 'string' ? [this.#resolve($ref)] : []),
        ...(Array.isArray(allOf) ? (allOf as unknown[]) : []),
        ...[anyOf, oneOf].flatMap((list) =>
          Array.isArray(list) ? (list as unknown[]).slice(0, 1) : [],
        ),
      ].filter(isObject);
      this.#work.parts -= inner.length * (1 + Object.keys(objectOf(merged, 'properties')).length);
      if (inner.length === 0 || this.#work.parts <= 0) return rest;
      merged = inner.reduce<JsonObject>((all, next) => overlaid(all, next), rest);
    }
    return merged;
  }

  #resolve(reference: string): unknown {
    if (!reference.startsWith('#')) return undefined;
    let value: unknown = this.#root;
    for (const token of reference.slice(1).split('/').slice(1)) {
      const name = unescapeToken(decodeURIComponent(token));
      value = isObject(value) ? keyword(value, name) : undefined;
    }
    return value;
  }

  #object(schema: JsonObject, depth: number): Record<string, unknown> {
    const properties = objectOf(schema, 'properties');
    const required = requiredOf(schema);
    const names = new Set([...required, ...Object.keys(properties)]);
    const members: [string, unknown][] = [];
    for (const name of names) {
      if (!required.includes(name) && !this.#wish(name, depth + 1)) continue;
      members.push([name, this.#value(keyword(properties, name), depth + 1)]);
    }
    return Object.fromEntries(members);
  }

  #array(schema: JsonObject, depth: number): unknown[] {
    const least = numberOf(schema, 'minItems') ?? 1;
    const most = numberOf(schema, 'maxItems') ?? ITEMS_MAX;
    const prefix = keyword(schema, 'prefixItems');
    const first = Array.isArray(prefix) ? (prefix as unknown[]) : [];
    const count = Math.min(Math.max(least, first.length, 1), most, TEXT_MAX);
    const rest = keyword(schema, 'items');
    return Array.from({ length: count }, (_, index) =>
      this.#value(first[index] ?? rest, depth + 1),
    );
  }
}

function overlaid(all: JsonObject, next: JsonObject): JsonObject {
  return {
    ...all,
    ...next,
    properties: { ...objectOf(all, 'properties'), ...objectOf(next, 'properties') },
    required: [...new Set([...requiredOf(all), ...requiredOf(next)])],
  };
}

function typeOf(schema: JsonObject): string {
  const type = keyword(schema, 'type');
  const first: unknown = Array.isArray(type) ? type[0] : type;
  if (typeof first === 'string') return first;
  if (requiredOf(schema).length > 0 || keyword(schema, 'properties') !== undefined) return 'object';
  if (keyword(schema, 'items') !== undefined) return 'array';
  return ['minimum', 'maximum', 'multipleOf'].some((name) => keyword(schema, name) !== undefined)
    ? 'number'
    : 'string';
}

function numberFor(schema: JsonObject, type: 'number' | 'integer'): number {
  const above = numberOf(schema, 'exclusiveMinimum');
  const least = numberOf(schema, 'minimum') ?? (above === null ? null : above + 1);
  const below = numberOf(schema, 'exclusiveMaximum');
  const most = numberOf(schema, 'maximum') ?? (below === null ? null : below - 1);
  const near = least ?? Math.min(1, most ?? 1);
  const step = numberOf(schema, 'multipleOf') ?? (type === 'integer' ? 1 : null);
  return step === null || step <= 0 ? near : Math.ceil(near / step) * step;
}

function textFor(schema: JsonObject): string {
  const format = keyword(schema, 'format');
  if (typeof format === 'string' && Object.hasOwn(FORMATS, format)) return FORMATS[format] ?? TEXT;
  const least = Math.min(numberOf(schema, 'minLength') ?? 0, TEXT_MAX);
  const most = numberOf(schema, 'maxLength') ?? Number.POSITIVE_INFINITY;
  return TEXT.padEnd(least, 'x').slice(0, Math.max(0, most));
}

function numberOf(schema: JsonObject, name: string): number | null {
  const value = keyword(schema, name);
  return typeof value === 'number' ? value : null;
}

function objectOf(schema: JsonObject, name: string): JsonObject {
  const value = keyword(schema, name);
  return isObject(value) ? value : {};
}

function requiredOf(schema: JsonObject): string[] {
  const required = keyword(schema, 'required');
  return Array.isArray(required) ? required.filter((name) => typeof name === 'string') : [];
}
