/** What the bytes say must never differ from what the parsed value says: random schemas, documents that nearly fit, printed in every way that JSON allows. */
import { describe, expect, it } from '@jest/globals';
import { SeededRandom } from '@allsource/testkit';
import { CompiledSchema } from '../../src/json-schema/compiled-schema.ts';
import { compiledOf, RandomSchemas, type Schema } from './random-schemas.ts';

const STEPS = 1_000_000;
const ROUNDS = Number(process.env['ALLSOURCE_TEST_ROUNDS'] ?? 1500);
/** Keywords of the random schemas that have no byte check; most schemas are rid of them, so that the others are met. */
const BEYOND = new Set(
  'multipleOf pattern patternProperties propertyNames minProperties maxProperties dependentRequired prefixItems uniqueItems contains minContains anyOf allOf oneOf not'.split(
    ' ',
  ),
);

function withoutBeyond(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutBeyond);
  if (typeof schema !== 'object' || schema === null) return schema;
  const kept = Object.entries(schema).filter(([name]) => !BEYOND.has(name));
  return Object.fromEntries(kept.map(([name, value]) => [name, withoutBeyond(value)]));
}

/** Prints a value as somebody may who is free to choose. */
class RandomPrinter {
  readonly #random: SeededRandom;

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  print(value: unknown): string {
    return this.#space() + this.#value(value) + this.#space();
  }

  #value(value: unknown): string {
    if (typeof value === 'string') return this.#text(value);
    if (typeof value === 'number') return this.#number(value);
    if (Array.isArray(value))
      return `[${this.#space()}${value.map((item) => this.print(item)).join(',')}]`;
    if (typeof value === 'object' && value !== null) return this.#object(value);
    return JSON.stringify(value);
  }

  #object(value: object): string {
    const members = Object.entries(value).map(([name, member]) => this.#member(name, member));
    const [again] = Object.keys(value);
    if (again !== undefined && this.#random.chance(0.05))
      members.splice(this.#random.below(members.length + 1), 0, this.#member(again, 'again'));
    return `{${members.join(',')}${this.#space()}}`;
  }

  #member(name: string, member: unknown): string {
    return `${this.#space()}${this.#text(name)}${this.#space()}:${this.print(member)}`;
  }

  #text(text: string): string {
    const known = JSON.stringify(text);
    if (text === '' || !this.#random.chance(0.05)) return known;
    const code = text.charCodeAt(0).toString(16).padStart(4, '0');
    return `"\\u${code}${JSON.stringify(text.slice(1)).slice(1)}`;
  }

  #number(value: number): string {
    if (!this.#random.chance(0.1)) return JSON.stringify(value);
    return this.#random.pick([
      `${value}e0`,
      `${value * 10}E-1`,
      `${value}e+0`,
      value.toFixed(3),
      value.toExponential(),
    ]);
  }

  #space(): string {
    return this.#random.chance(0.9) ? '' : this.#random.pick([' ', '\n', '\t\r ']);
  }
}

function fits(compiled: CompiledSchema, text: string): boolean {
  // The text stands among others, as payloads of a batch do.
  const bytes = Buffer.from(`{"payload":${text},"x":1}`);
  const start = '{"payload":'.length;
  return compiled.fitsBytes(bytes, {
    start,
    end: start + Buffer.byteLength(text),
  });
}

describe('bytes that are told to fit', () => {
  it('are those of values that fit', () => {
    const seed = Number(process.env['SEED'] ?? 20);
    const random = new SeededRandom(seed);
    const schemas = new RandomSchemas(random);
    const printer = new RandomPrinter(random);
    let good = 0;
    let told = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const any = schemas.document();
      const schema = (random.chance(0.8) ? withoutBeyond(any) : any) as Schema;
      const compiled = compiledOf(schema);
      if (compiled === null) continue;
      for (let i = 0; i < 5; i++) {
        const text = printer.print(schemas.value(schema, schema)).trim();
        const isGood = compiled.judge(JSON.parse(text), STEPS).kind === 'good';
        const isTold = fits(compiled, text);
        if (isTold && !isGood)
          throw new TypeError(`seed ${seed}: ${JSON.stringify(schema)} was told to take ${text}`);
        good += Number(isGood);
        told += Number(isTold);
      }
    }
    console.log(`seed ${seed}: ${told} of ${good} good values told from their bytes`);
    expect(told).toBeGreaterThan(good / 4);
  });

  it.each([
    [{ type: 'string', maxLength: 3 }, '"añ€"', true],
    [{ type: 'string', maxLength: 3 }, '"añ€x"', false],
    [{ type: 'string', minLength: 2 }, '"\u{1f600}"', false],
    [{ type: 'string', maxLength: 9 }, '"a\\n"', false],
    [{ type: 'string' }, '"a\\"b\\\\"', true],
    [{ enum: ['a', null] }, 'null', true],
    [{ enum: ['a', 'é'] }, '"é"', true],
    [{ enum: ['a', 'b'], const: 'b' }, '"a"', false],
    [{ type: 'integer' }, '123456789012345', true],
    [{ type: 'integer' }, '1234567890123456', false],
    [{ type: 'integer' }, '1.0', false],
    [{ type: 'number', minimum: 0.1 }, '0.1', true],
    [{ type: 'number', exclusiveMinimum: 0.1 }, '0.1', false],
    [{ type: 'number', maximum: -0.5 }, '-0.75', true],
    [{ type: 'number' }, '-1.5e+308', true],
    [{ minimum: 1 }, '"no number"', true],
    [{ type: 'object', properties: { a: {}, b: {} }, required: ['b'] }, '{"b":1,"a":2}', true],
    [{ type: 'object', properties: { a: {} } }, '{"a":1,"a":2}', false],
    [{ required: ['__proto__'] }, '{"__proto__":1}', true],
    [{ required: ['toString'] }, '{}', false],
    [{ properties: { a: { type: 'null' } }, additionalProperties: false }, '{"a":null}', true],
    [{ properties: { a: {} }, additionalProperties: false }, '{"ab":null}', false],
    [{ properties: { ab: {} }, additionalProperties: false }, '{"a":null}', false],
    [{ items: { $ref: '#' }, maxItems: 2 }, '[[[],[ ]],[]]', true],
    [{ items: { $ref: '#' }, maxItems: 2 }, '[[[],[],[]]]', false],
    [{ items: false }, '[]', true],
    [{}, ' {"a":[1,{"b":"}]"}],"c":true} '.trim(), true],
  ])('%j takes %s: %p', (schema, text, isTold) => {
    const compiled = new CompiledSchema(schema);
    expect(fits(compiled, text)).toBe(isTold);
    const isGood = compiled.judge(JSON.parse(text), STEPS).kind === 'good';
    expect(isGood || !isTold).toBe(true);
  });

  it('are none where a keyword is beyond them', () => {
    for (const schema of [{ multipleOf: 1 }, { anyOf: [true] }, { enum: [1] }, { pattern: '.' }])
      expect(fits(new CompiledSchema(schema), '1')).toBe(false);
  });
});
