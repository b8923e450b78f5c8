/** Runs one test with a fault planted in the sources, in a process of its own. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import type { Mutant } from './mutant.ts';

export const REPOSITORY = resolve(import.meta.dirname, '../../../../..');
const TESTS_FOLDER = resolve(import.meta.dirname, '..');
const RUN_MS_MAX = 240_000;

export interface MutantResult {
  /** `caught`: the named test failed. `survived`: it passed. `broken`: it did not run at all. */
  readonly kind: 'caught' | 'survived' | 'broken';
  /** The first line of what it said. */
  readonly detail: string;
}

interface JestAnswer {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Runs the test that must catch a mutant; with `isPlanted` false on the sources as they are. */
export async function runMutant(mutant: Mutant, isPlanted: boolean): Promise<MutantResult> {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-mutant-'));
  try {
    const answerFile = join(folder, 'answer.json');
    await runJest(argumentsFor(mutant, { folder, answerFile, isPlanted }));
    return judge(JSON.parse(readFileSync(answerFile, 'utf8')) as JestAnswer);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function argumentsFor(
  { file, edits, caughtBy }: Mutant,
  run: { readonly folder: string; readonly answerFile: string; readonly isPlanted: boolean },
): string[] {
  const swc = {
    sourceMaps: 'inline',
    jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
    module: { type: 'es6' },
  };
  const options = { swc, mutant: run.isPlanted ? { file, edits } : null };
  const config = {
    rootDir: REPOSITORY,
    testMatch: ['**/*.test.ts'],
    extensionsToTreatAsEsm: ['.ts'],
    moduleFileExtensions: ['ts', 'js', 'mjs', 'cjs', 'json', 'node'],
    modulePathIgnorePatterns: ['<rootDir>/.*/dist/'],
    testEnvironment: join(REPOSITORY, 'scripts/jest-environment.cjs'),
    transform: { '^.+\\.ts$': [join(REPOSITORY, 'scripts/mutant-transform.cjs'), options] },
    watchman: false,
    testTimeout: RUN_MS_MAX,
  };
  const configFile = join(run.folder, 'jest.config.json');
  writeFileSync(configFile, JSON.stringify(config));
  return [
    join(REPOSITORY, 'node_modules/jest/bin/jest.js'),
    '--config',
    configFile,
    '--runInBand',
    '--json',
    '--outputFile',
    run.answerFile,
    '--testNamePattern',
    caughtBy.title,
    '--runTestsByPath',
    relative(REPOSITORY, resolve(TESTS_FOLDER, caughtBy.file)),
  ];
}

/** Resolves when jest has ended, however it did. */
function runJest(args: readonly string[]): Promise<void> {
  const environment: NodeJS.ProcessEnv = {
    ...process.env,
    NODE_OPTIONS: '--experimental-vm-modules',
    SEED: '1',
  };
  delete environment['ALLSOURCE_TEST_FAULTS'];
  delete environment['SEEDS'];
  const child = spawn(process.execPath, [...args], {
    cwd: REPOSITORY,
    env: environment,
    stdio: 'ignore',
    timeout: RUN_MS_MAX,
    killSignal: 'SIGKILL',
  });
  return new Promise((done, failed) => {
    child.once('error', failed);
    child.once('exit', () => done());
  });
}

function judge({ numPassedTests, numFailedTests, testResults }: JestAnswer): MutantResult {
  const failure = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .find(({ status }) => status === 'failed');
  if (numFailedTests > 0 && failure !== undefined)
    return { kind: 'caught', detail: firstLines(failure.failureMessages[0] ?? '') };
  if (numPassedTests > 0) return { kind: 'survived', detail: '' };
  return { kind: 'broken', detail: testResults.map(({ message }) => message).join('\n') };
}

function firstLines(message: string): string {
  const plain = message.replaceAll(/\u001b\[[0-9;]*m/g, '');
  return plain
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(0, 6)
    .join(' | ')
    .slice(0, 200);
}
