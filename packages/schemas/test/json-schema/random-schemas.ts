/** Random schemas, changes of them, and documents that use the fields that a schema declares and no others. */
import { Problem } from '@allsource/shared/errors';
import type { SeededRandom } from '@allsource/testkit';
import { CompiledSchema } from '../../src/json-schema/compiled-schema.ts';

export type Schema = boolean | { [name: string]: unknown };
type Members = Record<string, Schema>;

const NAMES = ['a', 'b', 'ab', 'c'];
const TYPES = ['null', 'boolean', 'integer', 'number', 'string', 'object', 'array'];
const CONSTANTS = [null, true, 0, 1, 1.5, 2, 'x', 'xy', [], [1], {}];
const ENUMERATED = [...CONSTANTS, { a: 1 }];
const PATTERNS = ['^a', 'y$', '^x*$'];

export class RandomSchemas {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  #chance(outOf: number): boolean {
    return this.#random.below(outOf) === 0;
  }

  #some<T>(items: readonly T[]): T[] {
    return items.filter(() => this.#chance(2));
  }

  document(): Schema {
    const schema = this.schema(3);
    if (typeof schema === 'boolean') return schema;
    return { ...schema, $defs: { d: this.schema(1), e: this.schema(1) } };
  }

  schema(depth: number): Schema {
    const random = this.#random;
    if (this.#chance(25)) return this.#chance(2);
    if (depth > 0 && this.#chance(14)) return { $ref: random.pick(['#/$defs/d', '#/$defs/e']) };
    if (this.#chance(12))
      return { enum: [...new Set([random.pick(ENUMERATED), random.pick(ENUMERATED)])] };
    if (this.#chance(20)) return { const: random.pick(ENUMERATED) };
    if (depth > 0 && this.#chance(8))
      return {
        [random.pick(['anyOf', 'allOf', 'oneOf'])]: [
          this.schema(depth - 1),
          this.schema(depth - 1),
        ],
      };
    if (depth > 0 && this.#chance(40)) return { not: this.schema(depth - 1) };
    const type = random.pick(TYPES);
    const types = this.#chance(6) ? [...new Set([type, random.pick(TYPES)])] : type;
    const typed = this.#chance(10) ? {} : { type: types };
    return { ...typed, ...this.#keywords(type, depth) };
  }

  #keywords(type: string, depth: number): Record<string, unknown> {
    if (type === 'object') return this.#object(depth);
    if (type === 'array') return this.#array(depth);
    if (type === 'string') return this.#text();
    return type === 'integer' || type === 'number' ? this.#number() : {};
  }

  #number(): Record<string, unknown> {
    const random = this.#random;
    const options: [string, number][] = [
      ['minimum', random.below(3)],
      ['exclusiveMinimum', random.below(3) - 1],
      ['maximum', 1 + random.below(4)],
      ['exclusiveMaximum', 2 + random.below(4)],
      ['multipleOf', random.pick([0.5, 1, 2])],
    ];
    return Object.fromEntries(options.filter(() => this.#chance(4)));
  }

  #text(): Record<string, unknown> {
    const random = this.#random;
    const options: [string, unknown][] = [
      ['minLength', random.below(3)],
      ['maxLength', 1 + random.below(3)],
      ['pattern', random.pick(PATTERNS)],
    ];
    return Object.fromEntries(options.filter(() => this.#chance(4)));
  }

  #object(depth: number): Record<string, unknown> {
    const random = this.#random;
    const schema: Record<string, unknown> = {};
    const inner = () => (depth > 0 ? this.schema(depth - 1) : true);
    if (!this.#chance(5))
      schema['properties'] = Object.fromEntries(this.#some(NAMES).map((name) => [name, inner()]));
    if (this.#chance(2)) schema['required'] = this.#some(NAMES).slice(0, 2);
    if (this.#chance(3)) schema['additionalProperties'] = this.#chance(2) ? false : inner();
    if (this.#chance(8)) schema['patternProperties'] = { [random.pick(PATTERNS)]: inner() };
    if (this.#chance(10)) schema['propertyNames'] = { maxLength: 1 + random.below(2) };
    if (this.#chance(10)) schema['minProperties'] = random.below(3);
    if (this.#chance(10)) schema['maxProperties'] = 1 + random.below(3);
    if (this.#chance(12))
      schema['dependentRequired'] = { [random.pick(NAMES)]: [random.pick(NAMES)] };
    return schema;
  }

  #array(depth: number): Record<string, unknown> {
    const random = this.#random;
    const schema: Record<string, unknown> = {};
    const inner = () => (depth > 0 ? this.schema(depth - 1) : true);
    if (!this.#chance(3)) schema['items'] = inner();
    if (this.#chance(4)) schema['prefixItems'] = [inner(), inner()];
    if (this.#chance(5)) schema['minItems'] = random.below(3);
    if (this.#chance(5)) schema['maxItems'] = random.below(4);
    if (this.#chance(6)) schema['uniqueItems'] = true;
    if (this.#chance(10)) schema['contains'] = inner();
    if (this.#chance(20)) schema['minContains'] = random.below(3);
    return schema;
  }

  /** A copy with a few changes. */
  changed(schema: Schema): Schema {
    let copy = structuredClone(schema);
    for (let times = 1 + this.#random.below(3); times > 0; times--) copy = this.#changedAt(copy, 4);
    return copy;
  }

  #changedAt(schema: Schema, depth: number): Schema {
    const random = this.#random;
    if (typeof schema === 'boolean') return this.schema(1);
    const inside = innerSchemas(schema);
    const [step] = inside.length > 0 && depth > 0 && !this.#chance(3) ? [random.pick(inside)] : [];
    if (step !== undefined) {
      step.replace(this.#changedAt(step.schema, depth - 1));
      return schema;
    }
    return this.#changedHere(schema);
  }

  #changedHere(schema: { [name: string]: unknown }): Schema {
    const random = this.#random;
    const names = Object.keys(schema).filter((name) => name !== '$defs');
    const kind = random.below(7);
    if (kind === 0 && names.length > 0) delete schema[random.pick(names)];
    else if (kind === 1) Object.assign(schema, this.#keywords(String(schema['type']), 1));
    else if (kind === 2 && typeof schema['type'] === 'string')
      schema['type'] = [...new Set([schema['type'], random.pick(TYPES)])];
    else if (kind === 3 && Array.isArray(schema['required']))
      schema['required'] = this.#some(NAMES);
    else if (kind === 4)
      schema['properties'] = {
        ...(schema['properties'] as object),
        [random.pick(NAMES)]: this.schema(1),
      };
    else if (kind === 5 && schema['$defs'] === undefined)
      return { anyOf: [schema, this.schema(1)] };
    else Object.assign(schema, this.schema(1));
    return schema;
  }

  /** A value that may well fit a schema, and whose objects have fields that it declares. */
  value(schema: Schema, root: Schema, depth = 6): unknown {
    const random = this.#random;
    if (typeof schema === 'boolean' || depth === 0) return random.pick(CONSTANTS);
    const { all, merged } = this.#along(schema, root, depth);
    for (const part of all) if (Array.isArray(part['enum'])) return random.pick(part['enum']);
    for (const part of all) if (part['const'] !== undefined) return part['const'];
    const types = all.map((part) => part['type']).filter((type) => type !== undefined);
    const type = types.length === 0 ? random.pick(TYPES) : random.pick([random.pick(types)].flat());
    if (type === 'object') return this.#objectValue(all, merged, { root, depth });
    if (type === 'array') return this.#arrayValue(all, { root, depth });
    if (type === 'string') return random.pick(['', 'x', 'xy', 'a', 'abc', 'yy']);
    if (type === 'integer') return random.below(6) - 1;
    if (type === 'number') return random.below(12) / 2 - 1;
    return type === 'null' ? null : this.#chance(2);
  }

  /** The schemas that one way through a schema takes: all of `allOf`, one of the alternatives, what it refers to. */
  #along(
    schema: Schema,
    root: Schema,
    depth: number,
  ): { all: Record<string, unknown>[]; merged: Members } {
    const all: Record<string, unknown>[] = [];
    const visit = (inner: unknown, left: number): void => {
      if (typeof inner !== 'object' || inner === null || left === 0) return;
      const part = inner as Record<string, unknown>;
      all.push(part);
      const reference = part['$ref'];
      const definitions = typeof root === 'boolean' ? {} : (root['$defs'] as Members | undefined);
      if (typeof reference === 'string') visit(definitions?.[reference.slice(-1)], left - 1);
      for (const one of (part['allOf'] ?? []) as Schema[]) visit(one, left - 1);
      for (const name of ['anyOf', 'oneOf'])
        if (Array.isArray(part[name])) visit(this.#random.pick(part[name]), left - 1);
    };
    visit(schema, depth);
    const merged: Members = {};
    for (const part of all) Object.assign(merged, part['properties']);
    return { all, merged };
  }

  #objectValue(
    all: readonly Record<string, unknown>[],
    merged: Members,
    { root, depth }: { root: Schema; depth: number },
  ): Record<string, unknown> {
    const value: Record<string, unknown> = {};
    const required = new Set(all.flatMap((part) => (part['required'] ?? []) as string[]));
    for (const [name, inner] of Object.entries(merged))
      if (required.has(name) || this.#chance(2)) value[name] = this.value(inner, root, depth - 1);
    for (const part of all) {
      const others = part['additionalProperties'] as Schema | undefined;
      if (others !== undefined && others !== true && this.#chance(2))
        value[this.#random.pick(['zz', ...NAMES])] ??= this.value(others, root, depth - 1);
      for (const [pattern, inner] of Object.entries((part['patternProperties'] ?? {}) as Members))
        if (this.#chance(2))
          value[pattern === 'y$' ? 'y' : pattern === '^a' ? 'aq' : 'x'] ??= this.value(
            inner,
            root,
            depth - 1,
          );
    }
    return value;
  }

  #arrayValue(
    all: readonly Record<string, unknown>[],
    { root, depth }: { root: Schema; depth: number },
  ): unknown[] {
    return Array.from({ length: this.#random.below(4) }, (_, index) => {
      const part = all.length === 0 ? {} : this.#random.pick(all);
      const first = part['prefixItems'] as Schema[] | undefined;
      return this.value(
        first?.[index] ?? (part['items'] as Schema | undefined) ?? true,
        root,
        depth - 1,
      );
    });
  }
}

interface InnerSchema {
  readonly schema: Schema;
  readonly replace: (other: Schema) => void;
}

function innerSchemas(schema: { [name: string]: unknown }): InnerSchema[] {
  const found: InnerSchema[] = [];
  const add = (holder: Record<string, unknown>, name: string) => {
    const value = holder[name];
    const replace = (other: Schema) => void (holder[name] = other);
    if (
      typeof value === 'boolean' ||
      (typeof value === 'object' && value !== null && !Array.isArray(value))
    )
      found.push({ schema: value as Schema, replace });
  };
  for (const name of ['items', 'additionalProperties', 'not', 'contains']) add(schema, name);
  for (const name of [
    'properties',
    'patternProperties',
    '$defs',
    'anyOf',
    'allOf',
    'oneOf',
    'prefixItems',
  ]) {
    const holder = schema[name] as Record<string, unknown> | undefined;
    if (holder !== undefined) for (const inner of Object.keys(holder)) add(holder, inner);
  }
  return found;
}

/** Null for a schema that refers to itself at the same place, which is none. */
export function compiledOf(schema: Schema): CompiledSchema | null {
  try {
    return new CompiledSchema(schema);
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}
