import { describe, expect, it } from '@jest/globals';
import { SeededRandom } from '@allsource/testkit';
import type { CompatibilityMode } from '@allsource/shared/protocol';
import { incompatibilities } from '../../src/json-schema/compatibility.ts';
import { CompiledSchema } from '../../src/json-schema/compiled-schema.ts';
import { RandomSchemas, type Schema } from './random-schemas.ts';

const STEPS = 1_000_000;
const ROUNDS = Number(process.env['ALLSOURCE_TEST_ROUNDS'] ?? 500);

function faults(mode: CompatibilityMode, before: unknown, after: unknown): string[] {
  const versions = { before: new CompiledSchema(before), after: new CompiledSchema(after) };
  return incompatibilities(mode, versions).map(({ message }) => message);
}

const STRING = { type: 'string' };
const order = (properties: object, required: string[] = [], rest: object = {}) => ({
  type: 'object',
  properties,
  required,
  ...rest,
});

describe('a version', () => {
  const cases: [
    what: string,
    before: unknown,
    after: unknown,
    backward: string | null,
    forward: string | null,
  ][] = [
    [
      'that adds an optional field',
      order({ a: STRING }),
      order({ a: STRING, b: STRING }),
      null,
      null,
    ],
    [
      'that adds a required field',
      order({ a: STRING }),
      order({ a: STRING, b: STRING }, ['b']),
      "Backward compatibility: new required field 'b' added (at '/b', rule 'required')",
      null,
    ],
    [
      'that drops an optional field',
      order({ a: STRING, b: STRING }),
      order({ a: STRING }),
      null,
      "Forward compatibility: field 'b' removed (at '/b', rule 'properties')",
    ],
    [
      'that drops a required field',
      order({ a: STRING }, ['a']),
      order({}),
      null,
      "Forward compatibility: required field 'a' removed (at '/a', rule 'required')",
    ],
    [
      'that makes a whole number a number',
      order({ n: { type: 'integer' } }),
      order({ n: { type: 'number' } }),
      null,
      "Forward compatibility: type number changed to integer (at '/n', rule 'type')",
    ],
    [
      'that changes a nested type',
      order({ o: order({ a: STRING }) }),
      order({ o: order({ a: { type: 'null' } }) }),
      "Backward compatibility: type string changed to null (at '/o/a', rule 'type')",
      "Forward compatibility: type null changed to string (at '/o/a', rule 'type')",
    ],
    [
      'that takes one value more',
      { enum: ['a', 'b'] },
      { enum: ['a', 'b', 'c'] },
      null,
      'Forward compatibility: values that were allowed are not any more: "c" (at the root, rule \'enum\')',
    ],
    [
      'that closes an object',
      order({ a: STRING }),
      order({ a: STRING }, [], { additionalProperties: false }),
      "Backward compatibility: fields that are not declared are no longer allowed (at the root, rule 'additionalProperties')",
      null,
    ],
    [
      'that adds a field to a closed object',
      order({ a: STRING }, [], { additionalProperties: false }),
      order({ a: STRING, b: STRING }, [], { additionalProperties: false }),
      null,
      "Forward compatibility: new field 'b' added, which the version before does not allow (at '/b', rule 'additionalProperties')",
    ],
    [
      'that narrows a range',
      { type: 'number', minimum: 0 },
      { type: 'number', exclusiveMinimum: 0 },
      "Backward compatibility: numbers must be at least 0, others were allowed (at the root, rule 'minimum')",
      null,
    ],
    [
      'that narrows items',
      { type: 'array', items: { type: 'number' } },
      { type: 'array', items: { type: 'integer' } },
      "Backward compatibility: type number changed to integer (at '/*', rule 'type')",
      null,
    ],
    [
      'that changes what is said behind a reference',
      { $ref: '#/$defs/a', $defs: { a: STRING } },
      { $ref: '#/$defs/a', $defs: { a: { type: 'number' } } },
      "Backward compatibility: type string changed to number (at the root, rule 'type')",
      "Forward compatibility: type number changed to string (at the root, rule 'type')",
    ],
    [
      'that changes alternatives that exclude each other',
      { oneOf: [STRING, { type: 'null' }] },
      { oneOf: [STRING, { type: 'boolean' }] },
      "Backward compatibility: 'oneOf' differs, and what that means cannot be decided (at the root, rule 'oneOf')",
      "Forward compatibility: 'oneOf' differs, and what that means cannot be decided (at the root, rule 'oneOf')",
    ],
    [
      'that lets null be',
      STRING,
      { type: ['string', 'null'] },
      null,
      "Forward compatibility: type null or string changed to string (at the root, rule 'type')",
    ],
    [
      'of a list that holds itself',
      { type: 'array', items: { $ref: '#' } },
      { type: ['array', 'null'], items: { $ref: '#' } },
      null,
      "Forward compatibility: type null or array changed to array (at the root, rule 'type')",
    ],
    [
      'with words only',
      order({ a: STRING }),
      order({ a: { ...STRING, title: 'A', description: 'a' } }),
      null,
      null,
    ],
  ];

  it.each(cases)('%s', (_what, ...[before, after, backward, forward]) => {
    expect(faults('BACKWARD', before, after)[0] ?? null).toBe(backward);
    expect(faults('FORWARD', before, after)[0] ?? null).toBe(forward);
    const both = [backward, forward].filter((fault) => fault !== null);
    expect(faults('FULL', before, after)).toEqual(expect.arrayContaining(both));
    expect(faults('NONE', before, after)).toEqual([]);
  });

  it('that declares a field which a listed value has is not taken for a new one', () => {
    const before = { anyOf: [{ enum: [{ a: 1 }] }, { type: 'array' }] };
    const after = { anyOf: [{ properties: { a: STRING } }, { type: 'array' }] };
    expect(faults('BACKWARD', before, after)).not.toEqual([]);
    expect(faults('BACKWARD', before, { anyOf: [{ properties: { b: STRING } }] })).toEqual([]);
  });
});

describe('two versions that go together', () => {
  it('agree about random documents that use declared fields', () => {
    const seed = Number(process.env['ALLSOURCE_TEST_SEED'] ?? Date.now() % 1_000_000);
    console.log(`compatibility: seed ${seed} (ALLSOURCE_TEST_SEED)`);
    const random = new SeededRandom(seed);
    const schemas = new RandomSchemas(random);
    const counts = { together: 0, apart: 0, documents: 0, shownApart: 0 };
    for (let round = 0; round < ROUNDS; round++) {
      const before = schemas.document();
      const after = schemas.changed(before);
      const versions = pair(before, after);
      if (versions === null) continue;
      for (const [mode, narrow, wide, source] of [
        ['BACKWARD', versions.before, versions.after, before],
        ['FORWARD', versions.after, versions.before, after],
      ] as const) {
        const isTogether = incompatibilities(mode, versions).length === 0;
        counts[isTogether ? 'together' : 'apart']++;
        let isApart = false;
        for (let times = 0; times < 6; times++) {
          const document = schemas.value(source, source);
          if (narrow.judge(document, STEPS).kind !== 'good') continue;
          counts.documents++;
          if (wide.judge(document, STEPS).kind === 'good') continue;
          isApart = true;
          if (isTogether)
            throw new Error(
              `seed ${seed}, round ${round}: ${mode} said yes\n${JSON.stringify(before)}\n${JSON.stringify(after)}\n${JSON.stringify(document)}`,
            );
        }
        if (isApart) counts.shownApart++;
      }
    }
    console.log(counts);
    expect(counts.together).toBeGreaterThan(ROUNDS / 10);
    expect(counts.shownApart).toBeGreaterThan(ROUNDS / 10);
    expect(counts.documents).toBeGreaterThan(ROUNDS);
  });
});

/** Null: one of the random texts is no good schema. */
function pair(before: Schema, after: Schema) {
  try {
    return { before: new CompiledSchema(before), after: new CompiledSchema(after) };
  } catch {
    return null;
  }
}
