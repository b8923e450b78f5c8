/** One side of a comparison: schemas of one document that a value must fit all at once, and what they say together. */
import type { CompiledSchema } from './compiled-schema.ts';
import { isObject, type JsonObject, keyword, type SchemaPart } from './schema-document.ts';
import { isRecord } from './schema-node.ts';

/** The JSON types as bits. Whole numbers and other numbers are apart, because `integer` is. */
export const TYPE_BITS = {
  null: 1,
  boolean: 2,
  object: 4,
  array: 8,
  string: 16,
  integer: 32,
  fraction: 64,
  number: 96,
} as const;
export const ALL_TYPES = 127;
export const NUMBERS = 96;
/** Schemas that are followed through `allOf` and `$ref` for one side. */
const PARTS_MAX = 200;

/** A lower or upper bound of numbers. */
export interface NumberBound {
  readonly value: number;
  readonly isExclusive: boolean;
}

export class SchemaSide {
  readonly compiled: CompiledSchema;
  /** Schemas that say something. */
  readonly parts: readonly SchemaPart[];
  /** True when no value fits. */
  readonly isNever: boolean;
  /** True when there are more schemas than are looked at. */
  readonly isCut: boolean;

  #declared: ReadonlySet<string> | null = null;
  #mentioned: ReadonlySet<string> | 'any' | null = null;

  private constructor(
    compiled: CompiledSchema,
    found: Pick<SchemaSide, 'parts' | 'isNever' | 'isCut'>,
  ) {
    this.compiled = compiled;
    this.parts = found.parts;
    this.isNever = found.isNever;
    this.isCut = found.isCut;
  }

  /** All of these schemas at once, with what they refer to and combine by `allOf`. */
  static of(compiled: CompiledSchema, wanted: readonly SchemaPart[]): SchemaSide {
    const parts = new Set<SchemaPart>();
    const seen = new Set<unknown>();
    let isNever = false;
    let isCut = false;
    const queue = [...wanted];
    for (let part = queue.pop(); part !== undefined; part = queue.pop()) {
      const { schema } = part;
      if (schema === false) isNever = true;
      isCut ||= parts.size >= PARTS_MAX;
      if (typeof schema === 'boolean' || seen.has(schema) || isCut) continue;
      seen.add(schema);
      if (!isReferenceOnly(compiled, schema)) parts.add(part);
      queue.push(...insideOf(compiled, part, schema));
    }
    return new SchemaSide(compiled, { parts: [...parts], isNever, isCut });
  }

  /** The side with one more schema. */
  and(part: SchemaPart): SchemaSide {
    return SchemaSide.of(this.compiled, [
      ...this.parts,
      ...(this.isNever ? [{ ...part, schema: false }] : []),
      part,
    ]);
  }

  /** The values of a keyword in all schemas. */
  *values(name: string): Generator {
    for (const part of this.parts) {
      const value = keyword(part.schema as JsonObject, name);
      if (value !== undefined) yield value;
    }
  }

  /** The schema at a place within each of the parts that has one there. */
  within(...steps: (string | number)[]): SchemaPart[] {
    return this.parts.flatMap((part) => innerPart(this.compiled, part, steps) ?? []);
  }

  get types(): number {
    let types = ALL_TYPES;
    for (const type of this.values('type')) types &= typeBits(type);
    return types;
  }

  get required(): Set<string> {
    return new Set([...this.values('required')].flatMap((names) => names as string[]));
  }

  /** The largest value of a keyword that sets a least count; 0 when none does. */
  least(name: string): number {
    return Math.max(0, ...([...this.values(name)] as number[]));
  }

  /** The smallest value of a keyword that sets a greatest count. */
  most(name: string): number {
    return Math.min(Number.POSITIVE_INFINITY, ...([...this.values(name)] as number[]));
  }

  /** The lower bound of numbers as one that can be compared; `sign` -1 for the upper one, mirrored. */
  bound(sign: 1 | -1): NumberBound {
    const [inclusive, exclusive] =
      sign === 1 ? ['minimum', 'exclusiveMinimum'] : ['maximum', 'exclusiveMaximum'];
    let bound: NumberBound = { value: Number.NEGATIVE_INFINITY, isExclusive: false };
    for (const value of this.values(inclusive)) {
      const mirrored = (value as number) * sign;
      if (mirrored > bound.value) bound = { value: mirrored, isExclusive: false };
    }
    for (const value of this.values(exclusive)) {
      const mirrored = (value as number) * sign;
      if (mirrored >= bound.value) bound = { value: mirrored, isExclusive: true };
    }
    return bound;
  }

  /** True when a field is declared by name. */
  declares(name: string): boolean {
    return this.declaredNames.has(name);
  }

  /** The fields that are declared by name. */
  get declaredNames(): ReadonlySet<string> {
    this.#declared ??= new Set(
      [...this.values('properties')].flatMap((members) => Object.keys(members as object)),
    );
    return this.#declared;
  }

  /** True when a field is declared by name or stands in a listed value, here or in a schema that may apply beside: an alternative, a condition. */
  mentions(name: string): boolean {
    this.#mentioned ??= mentionedNames(this);
    return this.#mentioned === 'any' || this.#mentioned.has(name);
  }

  /** True when the types alone leave few values. */
  get isOfFiniteTypes(): boolean {
    return (this.types & ~(1 | 2)) === 0;
  }

  /** The few values that can fit at all; null when they are not few. */
  get finiteValues(): readonly unknown[] | null {
    for (const constant of this.values('const')) return [constant];
    for (const allowed of this.values('enum')) return allowed as unknown[];
    const { types } = this;
    if (!this.isOfFiniteTypes) return null;
    return [...((types & 1) === 0 ? [] : [null]), ...((types & 2) === 0 ? [] : [true, false])];
  }

  /** Whether a value fits; one that cannot be judged counts as `undecided`. */
  fits(value: unknown, undecided: boolean): boolean {
    if (this.isNever) return false;
    return this.parts.every((part) => {
      const { kind } = this.compiled.judgePart(part, value);
      return kind === 'undecided' ? undecided : kind === 'good';
    });
  }
}

/** The fields that a side or a schema that may apply beside it declares, or has in a value that it lists; `any` where there are too many schemas to look at. */
function mentionedNames(first: SchemaSide): ReadonlySet<string> | 'any' {
  const names = new Set<string>();
  const seen = new Set<unknown>();
  const queue = [first];
  for (let side = queue.pop(); side !== undefined; side = queue.pop()) {
    if (side.isCut) return 'any';
    for (const name of side.declaredNames) names.add(name);
    for (const name of namesInValues(side)) names.add(name);
    for (const branch of branchesOf(side)) {
      if (seen.has(branch.schema)) continue;
      seen.add(branch.schema);
      queue.push(SchemaSide.of(first.compiled, [branch]));
    }
  }
  return names;
}

/** The fields of the values that a side lists one by one. */
function namesInValues(side: SchemaSide): string[] {
  const values = [...side.values('const'), ...[...side.values('enum')].flat()];
  return values.flatMap((value) => (isRecord(value) ? Object.keys(value) : []));
}

/** The schemas that may apply to the same value, besides those that do. */
function branchesOf({ compiled, parts }: SchemaSide): SchemaPart[] {
  return parts.flatMap((part) => {
    const schema = part.schema as JsonObject;
    const listed = ['anyOf', 'oneOf'].flatMap((name) => {
      const list = keyword(schema, name);
      return Array.isArray(list) ? list.map((_, index) => [name, index]) : [];
    });
    const named = ['dependentSchemas', 'dependencies'].flatMap((name) => {
      const members = keyword(schema, name);
      return isRecord(members) ? Object.keys(members).map((member) => [name, member]) : [];
    });
    const places = [...listed, ...named, ['if'], ['then'], ['else'], ['not']];
    return places.flatMap((steps) => innerPart(compiled, part, steps) ?? []);
  });
}

/** The schema at a place within another one; null when there is none. */
export function innerPart(
  { document }: CompiledSchema,
  part: SchemaPart,
  steps: readonly (string | number)[],
): SchemaPart | null {
  let value: unknown = part.schema;
  for (const step of steps) {
    const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, step);
    if (!isThere) return null;
    value = (value as Record<string | number, unknown>)[step];
  }
  return typeof value === 'boolean' || isObject(value) ? document.within(part, steps) : null;
}

function bitsOf(name: string): number {
  return Object.entries(TYPE_BITS).find(([known]) => known === name)?.[1] ?? 0;
}

export function typeBits(type: unknown): number {
  const names = Array.isArray(type) ? type : [type];
  return names.reduce<number>((bits, name) => bits | bitsOf(String(name)), 0);
}

/** The names of types, for a sentence. */
export function typeNames(bits: number): string {
  const names: string[] = (['null', 'boolean', 'object', 'array', 'string'] as const).filter(
    (name) => (bits & TYPE_BITS[name]) !== 0,
  );
  if ((bits & NUMBERS) === 32) names.push('integer');
  else if ((bits & NUMBERS) !== 0) names.push('number');
  return names.join(' or ');
}

/** In draft-07 nothing beside `$ref` counts. */
function isReferenceOnly({ dialect }: CompiledSchema, schema: JsonObject): boolean {
  return dialect === 'draft-07' && keyword(schema, '$ref') !== undefined;
}

function insideOf(compiled: CompiledSchema, part: SchemaPart, schema: JsonObject): SchemaPart[] {
  const reference = keyword(schema, '$ref');
  const target = typeof reference === 'string' ? [compiled.document.resolve(reference, part)] : [];
  if (isReferenceOnly(compiled, schema)) return target;
  const all = keyword(schema, 'allOf');
  const combined = Array.isArray(all)
    ? all.map((_, index) => compiled.document.within(part, ['allOf', index]))
    : [];
  return [...target, ...combined];
}
