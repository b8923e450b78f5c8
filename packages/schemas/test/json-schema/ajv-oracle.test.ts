/** Another validator as a witness: ajv judges random schemas and documents, and both must say the same. */
import { describe, expect, it } from '@jest/globals';
import { SeededRandom } from '@allsource/testkit';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { CompiledSchema } from '../../src/json-schema/compiled-schema.ts';
import { compiledOf, RandomSchemas, type Schema } from './random-schemas.ts';

const STEPS = 1_000_000;
const SCHEMAS = Number(process.env['ALLSOURCE_TEST_ROUNDS'] ?? 300);
const VALUES = 8;

/**
 * Where ajv does not follow the specification (8.20): beside `items` it takes an array without items, and beside `prefixItems` one with fewer items than those, for one that `contains`
 * something; and `uniqueItems` looks only at items of the types that `items` names, which says nothing about those of `prefixItems`.
 */
function isMisjudged(schema: Schema, value: unknown): boolean {
  const text = JSON.stringify(schema);
  if (text.includes('"prefixItems"') && /"(uniqueItems|contains)"/.test(text)) return true;
  return text.includes('"contains"') && JSON.stringify(value).includes('[]');
}

describe('ajv', () => {
  it('judges random schemas and documents in the same way', () => {
    // The same each time: a difference may be a fault of ajv's, which is to be found by whoever looks for it (SEED=N ALLSOURCE_TEST_ROUNDS=4000).
    const seed = Number(process.env['SEED'] ?? 1);
    const random = new SeededRandom(seed);
    const schemas = new RandomSchemas(random);
    const ajv = new Ajv2020({ strict: false });
    let judged = 0;
    for (let round = 0; round < SCHEMAS; round++) {
      const schema = schemas.document();
      const compiled = compiledOf(schema);
      if (compiled === null) continue;
      const validate = ajv.compile(schema);
      for (let i = 0; i < VALUES; i++) {
        const value = schemas.value(schema, schema);
        if (isMisjudged(schema, value)) continue;
        judged += 1;
        if (validate(value) !== (compiled.judge(value, STEPS).kind === 'good'))
          throw new TypeError(
            `seed ${seed}: ajv and we differ about ${JSON.stringify(value)} and ${JSON.stringify(schema)}`,
          );
      }
    }
    console.log(`seed ${seed} (SEED): ${judged} judgements, all the same as ajv's`);
    expect(judged).toBeGreaterThan(SCHEMAS);
  });

  it('is not followed where it passes over what an array must contain', () => {
    const schema = { prefixItems: [{}, { type: 'integer' }], contains: { const: { a: 1 } } };
    expect(new Ajv2020({ strict: false }).compile(schema)([null])).toBe(true);
    expect(new CompiledSchema(schema).judge([null], STEPS).kind).not.toBe('good');
  });

  it('would be seen to differ', () => {
    const validate = new Ajv2020({ strict: false }).compile({ type: 'string' });
    expect(validate(1)).toBe(
      new CompiledSchema({ type: 'string' }).judge(1, STEPS).kind === 'good',
    );
    expect(validate('a')).toBe(true);
  });
});
