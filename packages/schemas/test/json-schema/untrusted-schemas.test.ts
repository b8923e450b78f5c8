/** Schemas and payloads of strangers: nothing they say runs, leaks into other objects, or takes more than it is given. */
import { describe, expect, it } from '@jest/globals';
import { incompatibilities } from '../../src/json-schema/compatibility.ts';
import { CompiledSchema } from '../../src/json-schema/compiled-schema.ts';

const STEPS = 1_000_000;
const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  '',
  ' ',
  '"',
  "'",
  '`${process.exit(1)}`',
  '");process.exit(1);//',
  '\u2028',
  '\0',
  '\ud800',
  '../..',
  'a/b~c',
  '%2F',
];

function judge(schema: unknown, value: unknown, steps = STEPS) {
  return new CompiledSchema(schema).judge(value, steps).kind;
}

/** What JSON.parse makes of a text, so that a name such as __proto__ is a member of its own. */
function withMember(name: string, value: unknown): unknown {
  return JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(value)}}`);
}

describe('a name', () => {
  it.each(NAMES)('such as %j is data wherever it stands', (name) => {
    const declared = {
      properties: withMember(name, { type: 'integer' }),
      additionalProperties: false,
    };
    expect(judge(declared, withMember(name, 1))).toBe('good');
    expect(judge(declared, withMember(name, 'x'))).toBe('bad');
    expect(judge(declared, {})).toBe('good');
    expect(judge({ required: [name] }, {})).toBe('bad');
    expect(judge({ required: [name] }, withMember(name, null))).toBe('good');
    const required = { properties: withMember(name, true), required: [name] };
    expect(judge(required, {})).toBe('bad');
    expect(judge({ dependentRequired: withMember(name, ['a']) }, {})).toBe('good');
    expect(judge({ dependentRequired: withMember(name, ['a']) }, withMember(name, 1))).toBe('bad');
    expect(judge({ dependentSchemas: withMember(name, false) }, {})).toBe('good');
    expect(judge({ additionalProperties: false }, withMember(name, 1))).toBe('bad');
    expect(judge({ unevaluatedProperties: false }, withMember(name, 1))).toBe('bad');
    expect(judge({ const: withMember(name, 1) }, withMember(name, 1))).toBe('good');
    expect(judge({ const: withMember(name, 1) }, withMember(name, 2))).toBe('bad');
    expect(judge({ enum: [{}] }, withMember(name, 1))).toBe('bad');
    const [violation] = new CompiledSchema(declared).explain(withMember(name, 'x'), STEPS);
    expect(violation?.pointer).toBe(`/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
  });

  it.each(NAMES)('such as %j can be one of a definition, a keyword or an anchor', (name) => {
    const pointer = encodeURIComponent(
      name.toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1'),
    );
    const schema = {
      $ref: `#/$defs/${pointer}`,
      $defs: withMember(name.toWellFormed(), { type: 'null' }),
    };
    expect(judge(schema, null)).toBe('good');
    expect(judge(schema, 1)).toBe('bad');
    expect(judge(withMember(name, { type: 'null' }), 1)).toBe('good');
  });

  it('changes nothing outside', () => {
    const before = Object.getOwnPropertyNames(Object.prototype);
    for (const name of NAMES) judge(withMember(name, withMember(name, {})), withMember(name, {}));
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});

/** Definitions each of which refers twice to the next. */
const doubling = (levels: number, inner: unknown) =>
  Object.fromEntries([
    ...Array.from({ length: levels }, (_, i) => [
      `d${i}`,
      { anyOf: [{ $ref: `#/$defs/d${i + 1}` }, { $ref: `#/$defs/d${i + 1}` }] },
    ]),
    [`d${levels}`, inner],
  ]);

describe('the steps of a payload', () => {
  it('end a schema whose references multiply', () => {
    const $defs = doubling(40, { const: 'never' });
    expect(() => new CompiledSchema({ $ref: '#/$defs/d0', $defs })).toThrow(/takes too many steps/);
    const schema = { properties: { a: { $ref: '#/$defs/d0' } }, $defs };
    expect(judge(schema, { a: 1 })).toBe('undecided');
    expect(judge(schema, { b: 1 })).toBe('good');
  });

  it.each([
    ['uniqueItems', { uniqueItems: true }, Array.from({ length: 200_000 }, (_, i) => ({ i }))],
    [
      'contains',
      { contains: { properties: { a: { enum: [[1]] } } } },
      Array.from({ length: 200_000 }, () => ({ a: [] })),
    ],
    [
      'patternProperties',
      { patternProperties: { '(a|b)*a(a|b){9}$': false } },
      Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`ab${i}`, 1])),
    ],
    [
      'maxLength',
      { items: { maxLength: 3 } },
      Array.from({ length: 100 }, () => '😀'.repeat(100_000)),
    ],
    ['multipleOf', { items: { multipleOf: 1e-300 } }, Array.from({ length: 50_000 }, () => 1e300)],
    ['const', { items: { const: { a: 1 } } }, Array.from({ length: 100_000 }, () => ({ a: 1 }))],
    [
      'unevaluatedItems',
      { unevaluatedItems: { type: 'null' } },
      Array.from({ length: 500_000 }, () => null),
    ],
  ])('are taken by %s on a large value', (_keyword, schema, value) => {
    expect(judge(schema, value, 10_000)).toBe('undecided');
  });

  it('suffice for a large payload and a usual schema', () => {
    const payload = Array.from({ length: 10_000 }, (_, i) => ({
      id: i,
      name: `n-${i}`,
      tags: ['a'],
    }));
    const schema = {
      items: {
        properties: {
          id: { type: 'integer' },
          name: { pattern: '^n-\\d+$' },
          tags: { uniqueItems: true },
        },
        required: ['id', 'name'],
        additionalProperties: false,
      },
    };
    const bytes = JSON.stringify(payload).length;
    expect(judge(schema, payload, 20_000 + bytes * 2)).toBe('good');
  });

  it('are not taken by a schema that describes itself', () => {
    const tree = { properties: { next: { $ref: '#' } }, additionalProperties: false };
    const value = JSON.parse(`${'{"next":'.repeat(60)}{}${'}'.repeat(60)}`);
    expect(judge(tree, value)).toBe('good');
    expect(() => new CompiledSchema({ anyOf: [{ type: 'null' }, { $ref: '#' }] })).toThrow(
      /itself/,
    );
    expect(
      () =>
        new CompiledSchema({
          $ref: '#/$defs/a',
          $defs: { a: { $ref: '#/$defs/b' }, b: { not: { $ref: '#/$defs/a' } } },
        }),
    ).toThrow(/itself/);
  });
});

/** Many fields, many patterns, and each name to be held against each pattern. */
const many = (type: string) => {
  const of = (name: (index: number) => string) =>
    Object.fromEntries(Array.from({ length: 700 }, (_, i) => [name(i), { type }]));
  const patternProperties = of((index) => `^a${index}b*$`);
  return new CompiledSchema({ properties: of((index) => `a${index}`), patternProperties });
};

describe('a comparison of two versions', () => {
  it('that would take too long is a no', () => {
    const [before, after] = [many('string'), many('null')];
    const [fault] = incompatibilities('BACKWARD', { before, after });
    expect(fault?.rule).toBe('size');
  });
});
