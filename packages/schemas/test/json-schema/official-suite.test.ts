/**
 * The official test suite of JSON Schema for both drafts, from the data beside the repository. A clone without it judges the few cases of its own below and says so.
 * Every case that is left out is named here with its reason, and one that is named without need fails the test.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { Problem } from '@allsource/shared/errors';
import { CompiledSchema } from '../../src/json-schema/compiled-schema.ts';

const SUITE = join(import.meta.dirname, '../../../../../shared/data/json-schema-suite/tests');
const STEPS = 1_000_000;
const HAS_SUITE = existsSync(SUITE);

interface Group {
  readonly description: string;
  readonly schema: unknown;
  readonly tests: readonly Case[];
}

interface Case {
  readonly description: string;
  readonly data: unknown;
  readonly valid: boolean;
}

interface LeftOut {
  /** File, group and case, with bars between them, begin like this. */
  readonly cases: string;
  readonly because: string;
}

const FETCHED = 'it refers to another document, and schemas are never fetched';
const META = 'it refers to the schema of schemas, which is another document';
const CONTENT = 'what a text encodes is not looked at, as the newer draft says for both';
const DIALECT = 'its dialect is a document of its own, which would have to be fetched';

const DRAFTS: readonly { draft: string; uri: string; leftOut: readonly LeftOut[] }[] = [
  {
    draft: 'draft7',
    uri: 'http://json-schema.org/draft-07/schema#',
    leftOut: [
      { cases: 'definitions.json|validate definition against metaschema', because: META },
      { cases: 'ref.json|remote ref, containing refs itself', because: META },
      { cases: 'refRemote.json', because: FETCHED },
      { cases: 'optional/cross-draft.json', because: FETCHED },
      {
        cases:
          'optional/content.json|validation of string-encoded content based on media type|an invalid JSON document',
        because: CONTENT,
      },
      {
        cases:
          'optional/content.json|validation of binary string-encoding|an invalid base64 string',
        because: CONTENT,
      },
      {
        cases:
          'optional/content.json|validation of binary-encoded media type documents|a validly-encoded invalid',
        because: CONTENT,
      },
      {
        cases:
          'optional/content.json|validation of binary-encoded media type documents|an invalid base64 string',
        because: CONTENT,
      },
    ],
  },
  {
    draft: 'draft2020-12',
    uri: 'https://json-schema.org/draft/2020-12/schema',
    leftOut: [
      { cases: 'defs.json|validate definition against metaschema', because: META },
      { cases: 'ref.json|remote ref, containing refs itself', because: META },
      {
        cases: 'dynamicRef.json|strict-tree schema, guards against misspelled properties',
        because: FETCHED,
      },
      {
        cases: 'dynamicRef.json|tests for implementation dynamic anchor and reference link',
        because: FETCHED,
      },
      {
        cases: 'dynamicRef.json|$ref and $dynamicAnchor are independent of order',
        because: FETCHED,
      },
      {
        cases: 'dynamicRef.json|$ref to $dynamicRef finds detached $dynamicAnchor',
        because: FETCHED,
      },
      { cases: 'refRemote.json', because: FETCHED },
      { cases: 'optional/cross-draft.json', because: FETCHED },
      { cases: 'vocabulary.json', because: DIALECT },
      { cases: 'optional/format-assertion.json', because: DIALECT },
    ],
  },
];

/** For a clone without the suite. */
const OWN: readonly Group[] = [
  {
    description: 'type',
    schema: { type: 'integer' },
    tests: [
      { description: 'whole', data: 1, valid: true },
      { description: 'fraction', data: 1.5, valid: false },
    ],
  },
  {
    description: 'names',
    schema: { required: ['__proto__'] },
    tests: [{ description: 'inherited', data: {}, valid: false }],
  },
  {
    description: 'reference',
    schema: { $ref: '#/definitions/a', definitions: { a: { maxLength: 1 } } },
    tests: [{ description: 'long', data: 'ab', valid: false }],
  },
];

function groupsOf(folder: string): [file: string, groups: readonly Group[]][] {
  // `format` says what is meant and judges nothing, so the cases of the folder optional/format, which have it judge, are none of ours.
  const files = [folder, join(folder, 'optional')].flatMap((inner) =>
    readdirSync(inner).flatMap((name) => (name.endsWith('.json') ? [join(inner, name)] : [])),
  );
  return files.map((file) => [
    file.slice(folder.length + 1),
    JSON.parse(readFileSync(file, 'utf8')),
  ]);
}

function withDialect(schema: unknown, $schema: string): unknown {
  return typeof schema === 'object' && schema !== null ? { $schema, ...schema } : schema;
}

/** What is wrong with the judgement of a case; null when it is right. */
function faultOf(schema: unknown, { data, valid }: Case): string | null {
  try {
    const compiled = new CompiledSchema(schema);
    const { kind } = compiled.judge(data, STEPS);
    const violations = compiled.explain(data, STEPS);
    if (kind !== (valid ? 'good' : 'bad')) return `is judged ${kind}`;
    const bytes = Buffer.from(JSON.stringify(data));
    if (compiled.fitsBytes(bytes, { start: 0, end: bytes.length }) && !valid)
      return 'is told to fit by its bytes';
    return (violations.length === 0) === valid
      ? null
      : `is explained by ${violations.length} violations`;
  } catch (error) {
    if (error instanceof Problem) return `is refused: ${error.message}`;
    throw error;
  }
}

describe.each(DRAFTS)('the cases of $draft', ({ draft, uri, leftOut }) => {
  it('are judged as the suite says, but for those that are left out for a reason', () => {
    if (!HAS_SUITE)
      console.log('The official suite is not there; a few cases of our own stand in.');
    const files = HAS_SUITE ? groupsOf(join(SUITE, draft)) : [['own', OWN] as const];
    const failed: string[] = [];
    let good = 0;
    for (const [file, groups] of files)
      for (const { description, schema, tests } of groups)
        for (const test of tests) {
          const fault = faultOf(withDialect(schema, uri), test);
          if (fault === null) good++;
          else failed.push(`${file}|${description}|${test.description}: ${fault}`);
        }
    const unexplained = failed.filter(
      (line) => !leftOut.some(({ cases }) => line.startsWith(cases)),
    );
    expect(unexplained).toEqual([]);
    const needless = leftOut.filter(({ cases }) => !failed.some((line) => line.startsWith(cases)));
    expect(HAS_SUITE ? needless : []).toEqual([]);
    console.log(
      `${draft}: ${good} cases judged as the suite says, ${failed.length} left out for ${leftOut.length} reasons`,
    );
    expect(good).toBeGreaterThan(HAS_SUITE ? 900 : 3);
  });
});
