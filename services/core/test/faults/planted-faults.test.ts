/**
 * R23, the test of the tests: faults are planted in the sources, one at a time, and the test that is named for each must fail. Without them the same tests pass. `npm test` plants a few, `npm run test:faults` all.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { isLong, report } from '@allsource/testkit';
import { MUTANTS } from './mutants/mutants.ts';
import { REPOSITORY, runMutant } from './mutants/mutant-run.ts';

const PLANTED = MUTANTS.filter(({ isQuick }) => isLong || isQuick === true);
const RUN_MS_MAX = 300_000;

describe('R23: the faults to plant', () => {
  it('are at least 15, each with words of its own, and each text to change occurs exactly once', () => {
    expect(new Set(MUTANTS.map(({ fault }) => fault)).size).toBe(MUTANTS.length);
    expect(MUTANTS.length).toBeGreaterThanOrEqual(15);
    for (const { file, edits } of MUTANTS) {
      const source = readFileSync(join(REPOSITORY, file), 'utf8');
      for (const { find } of edits)
        expect([find, source.split(find).length - 1]).toEqual([find, 1]);
    }
  });
});

describe('R23: a planted fault', () => {
  it.each(PLANTED.map((mutant) => [mutant.fault, mutant.caughtBy.file, mutant] as const))(
    'in which %s is caught by %s',
    async (fault, file, mutant) => {
      const { kind, detail } = await runMutant(mutant, true);
      report('R23 planted fault', { [`"${fault}"`]: `${kind} by ${file}`, saying: detail });
      expect([kind, detail]).toEqual(['caught', detail]);
    },
    RUN_MS_MAX,
  );
});

describe('R23: without a planted fault', () => {
  const named = new Map(MUTANTS.map((mutant) => [JSON.stringify(mutant.caughtBy), mutant]));

  it(
    'the same tests pass in the same harness',
    async () => {
      const all = [...named.values()];
      const tests = isLong ? all : all.slice(0, 1);
      const results: [string, string][] = [];
      for (const mutant of tests)
        results.push([mutant.caughtBy.title, (await runMutant(mutant, false)).kind]);
      expect(results).toEqual(tests.map(({ caughtBy }) => [caughtBy.title, 'survived']));
      report('R23 without a fault', { 'tests passed': results.length });
    },
    4 * RUN_MS_MAX,
  );
});
