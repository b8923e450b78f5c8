/**
 * Shows that every value that fits one schema, the narrow one, fits another one, the wide one. Each keyword of the wide schema must follow from what the narrow
 * one says; what the narrow one says beyond that does no harm. Where nothing follows there is a fault, so a missing rule can only make the answer a no.
 *
 * Schemas that refer to themselves are compared once: a pair that is being compared further up holds if everything else does. The work is bounded.
 */
import type { CompiledSchema } from './compiled-schema.ts';
import type { Comparison, Implication, Incompatibility } from './implication.ts';
import { arrayFaults } from './implied-arrays.ts';
import { objectFaults } from './implied-objects.ts';
import { numberFaults, textFaults } from './implied-scalars.ts';
import { type JsonObject, keyword, type SchemaPart } from './schema-document.ts';
import { shown } from './schema-node.ts';
import { SchemaSide, TYPE_BITS, typeBits, typeNames } from './schema-side.ts';
import { BudgetSpentError, ValidationRun } from './validation-run.ts';
import { valueKey } from './value-key.ts';

export interface SchemaImplicationOptions {
  readonly direction: 'Backward' | 'Forward';
  readonly narrow: CompiledSchema;
  readonly wide: CompiledSchema;
}

/** What one comparison of two documents may take: about 40 ms. */
const WORK_STEPS = 4_000_000;
const COMPARISON_STEPS = 1_500;
const FAULTS_MAX = 50;
/** Alternatives within alternatives that are told apart. */
const SPLITS_MAX = 3;

// Keywords that hold only as they stand: what they mean together is not taken apart.
const UNDECIDED_GROUPS = [
  ['not'],
  ['if', 'then', 'else'],
  ['dependentSchemas'],
  ['oneOf'],
] as const;
/** With these the meaning of a schema depends on all that stands beside them. */
const WHOLE = ['unevaluatedProperties', 'unevaluatedItems', '$dynamicRef'];
const LOCAL_REFERENCE = /"\$ref":"(?!#\/(?:\$defs|definitions)\/)/;

export class SchemaImplication implements Implication {
  readonly #options: SchemaImplicationOptions;
  readonly work = new ValidationRun({ steps: WORK_STEPS, isExplaining: false });
  readonly #ids = new Map<unknown, number>();
  /** The pairs that are being compared, by how deep in the documents that began. */
  readonly #open = new Map<string, number>();
  #depth = 0;
  readonly #keys = new WeakMap<object, string>();
  readonly #haveSameDefinitions: boolean;
  #faults: Incompatibility[] = [];
  /** The schemas whose alternatives are being told apart. */
  readonly #split = new Set<SchemaPart>();

  constructor(options: SchemaImplicationOptions) {
    this.#options = options;
    this.#haveSameDefinitions = definitionsKey(options.narrow) === definitionsKey(options.wide);
  }

  get direction(): 'Backward' | 'Forward' {
    return this.#options.direction;
  }

  /** Why the wide schema of the two documents does not follow from the narrow one. */
  faults(): Incompatibility[] {
    const { narrow, wide } = this.#options;
    try {
      this.compare(this.narrowSide([narrow.document.root]), [wide.document.root], '');
    } catch (error) {
      if (!(error instanceof BudgetSpentError)) throw error;
      this.#faults = [];
      this.fault('', 'size', 'the schemas are too large to be compared');
    }
    return this.#faults;
  }

  /** The document that the wide schemas are in. */
  get wide(): CompiledSchema {
    return this.#options.wide;
  }

  narrowSide(parts: readonly SchemaPart[]): SchemaSide {
    return SchemaSide.of(this.#options.narrow, parts);
  }

  wideSide(parts: readonly SchemaPart[]): SchemaSide {
    return SchemaSide.of(this.#options.wide, parts);
  }

  /** Notes a fault at a place. */
  fault(pointer: string, rule: string, text: string): void {
    if (this.#faults.length >= FAULTS_MAX) return;
    const place = pointer === '' ? 'at the root' : `at '${pointer}'`;
    const message = `${this.direction} compatibility: ${text} (${place}, rule '${rule}')`;
    this.#faults.push({ pointer, rule, message });
  }

  /** Compares a side with schemas that must all follow from it. */
  compare(narrow: SchemaSide, wanted: readonly SchemaPart[], pointer: string): void {
    const wide = this.wideSide(wanted);
    if (narrow.isNever) return;
    if (wide.isCut) this.fault(pointer, 'size', 'the schemas are too large to be compared');
    if (wide.isNever) {
      this.fault(pointer, 'false', 'no value is allowed any more');
      return;
    }
    for (const part of wide.parts) this.#compareOnce(narrow, part, pointer);
  }

  /** The same for a member or an item. */
  compareInside(narrow: SchemaSide, wanted: readonly SchemaPart[], pointer: string): void {
    this.#depth++;
    this.compare(narrow, wanted, pointer);
    this.#depth--;
  }

  /** True when the comparison of a member or an item would find no fault; none is noted. */
  followsInside(narrow: SchemaSide, wanted: readonly SchemaPart[]): boolean {
    return this.#attempt(() => this.compareInside(narrow, wanted, '')).length === 0;
  }

  /** True when the comparison would find no fault; none is noted. */
  follows(narrow: SchemaSide, wanted: readonly SchemaPart[]): boolean {
    return this.#attempt(() => this.compare(narrow, wanted, '')).length === 0;
  }

  #attempt(compare: () => void): Incompatibility[] {
    const faults = this.#faults;
    this.#faults = [];
    compare();
    const found = this.#faults;
    this.#faults = faults;
    return found;
  }

  #compareOnce(narrow: SchemaSide, wide: SchemaPart, pointer: string): void {
    this.work.spend(COMPARISON_STEPS + narrow.parts.length * 20);
    const key = [
      ...narrow.parts.map(({ schema }) => this.#id(schema)),
      '|',
      this.#id(wide.schema),
    ].join();
    const openedAt = this.#open.get(key);
    if (openedAt !== undefined) {
      // Only further down may a pair rest on itself; at the same place it would rest on nothing.
      if (openedAt === this.#depth)
        this.fault(pointer, '$ref', 'the schema refers to itself at the same place');
      return;
    }
    this.#open.set(key, this.#depth);
    const found = this.#attempt(() => this.#compareWhole(narrow, wide, pointer));
    if (found.length > 0 && !this.#followsByCases(narrow, wide)) this.#faults.push(...found);
    this.#open.delete(key);
  }

  #id(schema: unknown): number {
    const known = this.#ids.get(schema);
    if (known !== undefined) return known;
    this.#ids.set(schema, this.#ids.size);
    return this.#ids.size - 1;
  }

  /** True when the narrow side is one of several things and the wide schema follows from each. */
  #followsByCases(narrow: SchemaSide, wide: SchemaPart): boolean {
    if (this.#split.size >= SPLITS_MAX) return false;
    for (const name of ['anyOf', 'oneOf']) {
      for (const part of narrow.parts) {
        const branches = keyword(part.schema as JsonObject, name);
        if (!Array.isArray(branches)) continue;
        if (this.#split.has(part)) continue;
        this.#split.add(part);
        const holds = branches.every((_, index) => {
          const branch = this.#options.narrow.document.within(part, [name, index]);
          return this.follows(narrow.and(branch), [wide]);
        });
        this.#split.delete(part);
        if (holds) return true;
      }
    }
    return false;
  }

  #compareWhole(narrow: SchemaSide, wide: SchemaPart, pointer: string): void {
    const schema = wide.schema as JsonObject;
    if (narrow.parts.some((part) => this.#isSame(part.schema, schema))) return;
    const comparison = { narrow, wide, schema, pointer };
    const values = narrow.finiteValues;
    if (values === null) this.#compareKeywords(comparison);
    else if (
      narrow.isOfFiniteTypes &&
      this.#attempt(() => this.#compareTypes(comparison)).length > 0
    )
      this.#compareTypes(comparison);
    else this.#compareValues(narrow, wide, { values, pointer });
  }

  #compareValues(
    narrow: SchemaSide,
    wide: SchemaPart,
    { values, pointer }: { readonly values: readonly unknown[]; readonly pointer: string },
  ): void {
    const side = this.wideSide([wide]);
    this.work.spend(values.length * 50);
    const lost = values.filter((value) => narrow.fits(value, true) && !side.fits(value, false));
    if (lost.length === 0) return;
    const list = lost.slice(0, 5).map(shown).join(', ');
    this.fault(pointer, 'enum', `values that were allowed are not any more: ${list}`);
  }

  #compareKeywords(comparison: Comparison): void {
    const { narrow, schema, pointer } = comparison;
    this.#compareTypes(comparison);
    if (keyword(schema, 'enum') !== undefined || keyword(schema, 'const') !== undefined)
      this.fault(pointer, 'enum', 'only some values are allowed, where more were');
    const { types } = narrow;
    if ((types & TYPE_BITS.number) !== 0) numberFaults(this, comparison);
    if ((types & TYPE_BITS.string) !== 0) textFaults(this, comparison);
    if ((types & TYPE_BITS.array) !== 0) arrayFaults(this, comparison);
    if ((types & TYPE_BITS.object) !== 0) objectFaults(this, comparison);
    this.#compareAlternatives(comparison);
    this.#compareUndecided(comparison);
  }

  #compareTypes({ narrow, schema, pointer }: Comparison): void {
    const type = keyword(schema, 'type');
    if (type === undefined) return;
    const lost = narrow.types & ~typeBits(type);
    if (lost === 0) return;
    const text = `type ${typeNames(narrow.types)} changed to ${typeNames(typeBits(type))}`;
    this.fault(pointer, 'type', text);
  }

  #compareAlternatives({ narrow, wide, schema, pointer }: Comparison): void {
    const branches = keyword(schema, 'anyOf');
    if (!Array.isArray(branches) || this.#hasSame(narrow, schema, ['anyOf'])) return;
    const parts = branches.map((_, index) =>
      this.#options.wide.document.within(wide, ['anyOf', index]),
    );
    const isOneOf = (side: SchemaSide) => parts.some((part) => this.follows(side, [part]));
    if (isOneOf(narrow) || this.#byType(narrow).every(isOneOf)) return;
    this.fault(pointer, 'anyOf', 'what was allowed fits none of the alternatives for sure');
  }

  /** The side for each of its types alone. */
  #byType(narrow: SchemaSide): SchemaSide[] {
    const [part] = narrow.parts;
    const names = Object.entries(TYPE_BITS).filter(
      ([name]) => name !== 'fraction' && name !== 'integer',
    );
    if (part === undefined) return [narrow];
    return names
      .filter(([, bits]) => (narrow.types & bits) !== 0)
      .map(([name, bits]) => {
        const isWhole = bits === TYPE_BITS.number && (narrow.types & bits) === TYPE_BITS.integer;
        return narrow.and({ ...part, schema: { type: isWhole ? 'integer' : name } });
      });
  }

  #compareUndecided({ narrow, schema, pointer }: Comparison): void {
    for (const group of UNDECIDED_GROUPS) {
      const [rule] = group;
      if (keyword(schema, rule) === undefined || this.#hasSame(narrow, schema, group)) continue;
      this.fault(pointer, rule, `'${rule}' differs, and what that means cannot be decided`);
    }
    for (const rule of WHOLE) {
      if (keyword(schema, rule) === undefined) continue;
      this.fault(
        pointer,
        rule,
        `a schema with '${rule}' differs, and what that means cannot be decided`,
      );
    }
  }

  #hasSame(narrow: SchemaSide, schema: JsonObject, names: readonly string[]): boolean {
    return narrow.parts.some((part) =>
      names.every((name) =>
        this.#isSame(keyword(part.schema as JsonObject, name), keyword(schema, name)),
      ),
    );
  }

  /** True when two pieces of schema are the same text and mean the same: what they refer to is the same too. */
  #isSame(a: unknown, b: unknown): boolean {
    const key = this.#key(a);
    if (key !== this.#key(b)) return false;
    const { narrow, wide } = this.#options;
    if (narrow.dialect !== wide.dialect || key.includes('"$dynamicRef"')) return false;
    return !key.includes('"$ref"') || (this.#haveSameDefinitions && !LOCAL_REFERENCE.test(key));
  }

  #key(value: unknown): string {
    if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined';
    const known = this.#keys.get(value);
    if (known !== undefined) return known;
    const key = valueKey(value);
    this.#keys.set(value, key);
    return key;
  }
}

/** A text for all definitions of a document; a fresh one where they refer to anything but each other. */
function definitionsKey({ document }: CompiledSchema): string | symbol {
  const { schema } = document.root;
  if (typeof schema === 'boolean') return valueKey([null, null]);
  const key = valueKey([keyword(schema, '$defs') ?? null, keyword(schema, 'definitions') ?? null]);
  return document.isSplit || LOCAL_REFERENCE.test(key) ? Symbol('not comparable') : key;
}
