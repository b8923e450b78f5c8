/**
 * A schema as a document: which of its parts are schemas, under which names they can be referred to, and what a reference leads to. Nothing is ever fetched:
 * what a reference names is in the document, or the schema is refused.
 *
 * Schemas come from strangers, so everything is bounded before it is looked at: bytes and depth by the caller, the number of schemas here.
 */
import { type Problem, problem } from '@allsource/shared/errors';
import { LIMITS } from '@allsource/shared/limits';
import { quoted } from '@allsource/shared/model';
import { escapeToken, unescapeToken } from './validation-run.ts';

export type Dialect = 'draft-07' | '2020-12';
export type JsonObject = { readonly [name: string]: unknown };

/** A part of the document that has an identifier of its own, or the document itself. */
export class SchemaResource {
  readonly uri: string;
  readonly root: SchemaPart;
  readonly anchors = new Map<string, SchemaPart>();
  readonly dynamicAnchors = new Map<string, SchemaPart>();

  constructor(uri: string, { schema, pointer }: Omit<SchemaPart, 'resource'>) {
    this.uri = uri.split('#')[0] ?? uri;
    this.root = { schema, pointer, resource: this };
  }
}

/** A schema within the document. */
export interface SchemaPart {
  readonly schema: JsonObject | boolean;
  readonly resource: SchemaResource;
  /** JSON pointer from the root of the document. */
  readonly pointer: string;
}

const BASE = 'https://schema.invalid/';
const DIALECTS: Readonly<Record<string, Dialect>> = {
  'https://json-schema.org/draft/2020-12/schema': '2020-12',
  'http://json-schema.org/draft-07/schema': 'draft-07',
};

// Where schemas stand within a schema: alone, in a list, or by name.
const ALONE = [
  'additionalProperties',
  'propertyNames',
  'contains',
  'not',
  'if',
  'then',
  'else',
  'items',
];
const LISTED = ['allOf', 'anyOf', 'oneOf'];
const NAMED = ['properties', 'patternProperties', '$defs', 'definitions'];
const PLACES: Readonly<Record<Dialect, { alone: string[]; listed: string[]; named: string[] }>> = {
  'draft-07': {
    alone: [...ALONE, 'additionalItems'],
    listed: [...LISTED, 'items'],
    named: [...NAMED, 'dependencies'],
  },
  '2020-12': {
    alone: [...ALONE, 'unevaluatedItems', 'unevaluatedProperties', 'contentSchema'],
    listed: [...LISTED, 'prefixItems'],
    named: [...NAMED, 'dependentSchemas', 'dependencies'],
  },
};

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isSchema(value: unknown): value is JsonObject | boolean {
  return typeof value === 'boolean' || isObject(value);
}

/** A keyword's value; undefined where the schema has no such keyword of its own. */
export function keyword(schema: JsonObject, name: string): unknown {
  return Object.hasOwn(schema, name) ? schema[name] : undefined;
}

/** The refusal of a schema. `pointer` is a JSON pointer into it. */
export function invalidSchema(pointer: string, detail: string): Problem {
  const at = pointer === '' ? 'The schema' : `The schema at ${quoted(pointer)}`;
  return problem('invalid_schema', `${at}: ${detail}`, { pointer });
}

export class SchemaDocument {
  readonly dialect: Dialect;
  readonly root: SchemaPart;
  /** All schemas, outermost first. */
  readonly parts: SchemaPart[] = [];
  readonly #byObject = new Map<object, SchemaPart>();
  readonly #resources = new Map<string, SchemaResource>();

  /** Throws `invalid_schema`. */
  constructor(schema: unknown) {
    if (!isSchema(schema)) throw invalidSchema('', 'it must be an object, true or false.');
    this.dialect = dialectOf(schema);
    const resource = new SchemaResource(documentUri(schema), { schema, pointer: '' });
    this.root = resource.root;
    this.#resources.set(resource.uri, resource);
    this.#add(resource.root);
  }

  /** Whether any schema refers dynamically, so that a run has to keep its scope. */
  get isDynamic(): boolean {
    return this.parts.some(
      ({ schema }) => isObject(schema) && keyword(schema, '$dynamicRef') !== undefined,
    );
  }

  /** Whether a part of the document has an identifier of its own. */
  get isSplit(): boolean {
    return this.#resources.size > 1;
  }

  /** The schema at a place within another one. */
  within(part: SchemaPart, steps: readonly (string | number)[]): SchemaPart {
    let value: unknown = part.schema;
    let pointer = part.pointer;
    for (const step of steps) {
      value = stepInto(value, String(step));
      pointer += `/${escapeToken(String(step))}`;
    }
    if (!isSchema(value))
      throw invalidSchema(pointer, 'a schema must stand here: an object, true or false.');
    return this.#partOf(value, part.resource, pointer);
  }

  #partOf(schema: JsonObject | boolean, resource: SchemaResource, pointer: string): SchemaPart {
    const known = typeof schema === 'object' ? this.#byObject.get(schema) : undefined;
    return known ?? { schema, resource, pointer };
  }

  #add(part: SchemaPart): void {
    this.parts.push(part);
    if (this.parts.length > LIMITS.schemaPartsMax)
      throw invalidSchema('', `it has more than ${LIMITS.schemaPartsMax} schemas within it.`);
    const { schema } = part;
    if (typeof schema === 'boolean') return;
    this.#byObject.set(schema, part);
    this.#addAnchors(part, schema);
    const { alone, listed, named } = PLACES[this.dialect];
    for (const name of alone) this.#addAt(part, [name], keyword(schema, name));
    for (const name of listed) {
      const list = keyword(schema, name);
      if (!Array.isArray(list)) continue;
      for (const [index, inner] of list.entries()) this.#addAt(part, [name, index], inner);
    }
    for (const name of named) {
      const members = keyword(schema, name);
      if (!isObject(members)) continue;
      for (const [member, inner] of Object.entries(members))
        this.#addAt(part, [name, member], inner);
    }
  }

  #addAt({ resource, pointer }: SchemaPart, steps: (string | number)[], schema: unknown): void {
    // What must be a schema and is none is refused by its keyword, which knows what is allowed there.
    if (!isSchema(schema)) return;
    const at = steps.reduce<string>(
      (path, step) => `${path}/${escapeToken(String(step))}`,
      pointer,
    );
    const inner = this.#innerResource(schema, resource, at);
    this.#add(inner?.root ?? { schema, resource, pointer: at });
  }

  #innerResource(
    schema: JsonObject | boolean,
    outer: SchemaResource,
    pointer: string,
  ): SchemaResource | null {
    const id = typeof schema === 'boolean' ? undefined : keyword(schema, '$id');
    if (typeof schema === 'boolean' || typeof id !== 'string' || this.#isIgnored(schema, id))
      return null;
    const resource = new SchemaResource(absolute(id, outer.uri, pointer), { schema, pointer });
    this.#resources.set(resource.uri, resource);
    return resource;
  }

  /** In draft-07 nothing beside `$ref` counts, and an `$id` that is a fragment is an anchor. */
  #isIgnored(schema: JsonObject, id: string): boolean {
    if (this.dialect === '2020-12') return false;
    return id.startsWith('#') || keyword(schema, '$ref') !== undefined;
  }

  #addAnchors(part: SchemaPart, schema: JsonObject): void {
    const { anchors, dynamicAnchors } = part.resource;
    if (this.dialect === 'draft-07') {
      const id = keyword(schema, '$id');
      if (typeof id === 'string' && id.startsWith('#') && keyword(schema, '$ref') === undefined)
        anchors.set(id.slice(1), part);
      return;
    }
    const anchor = keyword(schema, '$anchor');
    if (typeof anchor === 'string') anchors.set(anchor, part);
    const dynamic = keyword(schema, '$dynamicAnchor');
    if (typeof dynamic !== 'string') return;
    anchors.set(dynamic, part);
    dynamicAnchors.set(dynamic, part);
  }

  /** What a reference of a schema leads to. Throws `invalid_schema` when it is not in the document. */
  resolve(reference: string, from: SchemaPart): SchemaPart {
    const [uri = '', fragment = ''] = absolute(reference, from.resource.uri, from.pointer).split(
      '#',
    );
    const resource = this.#resources.get(uri);
    const target = resource === undefined ? null : this.#inResource(resource, decoded(fragment));
    if (target !== null) return target;
    throw invalidSchema(
      from.pointer,
      `the reference ${quoted(reference)} leads to nothing in this document; schemas are never fetched, so put what it names under '$defs' and refer to it with '#/$defs/...'.`,
    );
  }

  #inResource(resource: SchemaResource, fragment: string): SchemaPart | null {
    if (fragment === '') return resource.root;
    if (!fragment.startsWith('/')) return resource.anchors.get(fragment) ?? null;
    let value: unknown = resource.root.schema;
    let current = resource;
    let { pointer } = resource.root;
    for (const token of fragment.slice(1).split('/')) {
      value = stepInto(value, unescapeToken(token));
      pointer += `/${token}`;
      const known = isObject(value) ? this.#byObject.get(value) : undefined;
      current = known?.resource ?? current;
    }
    return isSchema(value) ? this.#partOf(value, current, pointer) : null;
  }

  /** The name that a dynamic reference looks for on its way; null when it is an ordinary one. */
  dynamicName(reference: string, target: SchemaPart): string | null {
    const name = reference.slice(reference.indexOf('#') + 1);
    const { dynamicAnchors } = target.resource;
    return name !== '' && dynamicAnchors.get(name)?.schema === target.schema ? name : null;
  }
}

/** The identifier of a whole document. */
function documentUri(schema: JsonObject | boolean): string {
  const id = typeof schema === 'object' ? keyword(schema, '$id') : undefined;
  return typeof id === 'string' && !id.startsWith('#') ? absolute(id, BASE, '') : BASE;
}

function dialectOf(schema: JsonObject | boolean): Dialect {
  const uri = typeof schema === 'boolean' ? undefined : keyword(schema, '$schema');
  if (uri === undefined) return '2020-12';
  const dialect = typeof uri === 'string' ? DIALECTS[uri.replace(/#$/, '')] : undefined;
  if (dialect !== undefined) return dialect;
  throw invalidSchema(
    '/$schema',
    `the dialect ${quoted(typeof uri === 'string' ? uri : JSON.stringify(uri))} is not known; allowed are ${Object.keys(DIALECTS).join(' and ')}.`,
  );
}

function stepInto(value: unknown, token: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) return undefined;
  return (value as Record<string, unknown>)[token];
}

function absolute(reference: string, base: string, pointer: string): string {
  const url = URL.parse(reference, base);
  if (url !== null) return url.href;
  throw invalidSchema(pointer, `${quoted(reference)} is no URI reference.`);
}

function decoded(fragment: string): string {
  try {
    return decodeURIComponent(fragment);
  } catch {
    // A percent sign that encodes nothing: then the fragment means what it says, and leads nowhere or to that name.
    return fragment;
  }
}
