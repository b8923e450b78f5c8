/**
 * `npm test`: builds, runs jest over the workspace (arguments go to jest: `npm test -- services/core`), and ends with one
 * line for people and machines: `N passed, N failed, N skipped`. Fails too when no test ran. `npm run test:faults` runs the fault tests with their long counts.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, repositoryRoot } from './build.ts';

/** What `npm run test:faults` runs when no file is named. */
const FAULT_TESTS = [
  'tests/faults',
  'tests/e2e/parquet',
  'services/core/test/faults',
  'services/core/test/log/(sealing|killed-writer)',
  'services/core/test/checkpoint',
  'services/query/test/replay/replay-kills',
];

type Counts = { passed: number; failed: number; skipped: number };

function runJest(options: { args: string[]; countsFile: string }): number {
  const jest = createRequire(import.meta.url).resolve('jest/bin/jest');
  const nodeOptions =
    `${process.env['NODE_OPTIONS'] ?? ''} --experimental-vm-modules --disable-warning=ExperimentalWarning`.trim();
  const result = spawnSync(process.execPath, [jest, ...options.args], {
    cwd: repositoryRoot,
    env: {
      ...process.env,
      NODE_OPTIONS: nodeOptions,
      // The services, commands and workers that tests start, some hundreds, are compiled once.
      NODE_COMPILE_CACHE: join(repositoryRoot, 'node_modules/.cache/compiled'),
      ALLSOURCE_TEST_COUNTS: options.countsFile,
    },
    stdio: 'inherit',
  });
  return result.status ?? 1;
}

function readCounts(file: string): Counts {
  // No file means that jest itself failed before it could count.
  if (!existsSync(file)) return { passed: 0, failed: 1, skipped: 0 };
  return JSON.parse(readFileSync(file, 'utf8')) as Counts;
}

function jestArguments(): string[] {
  const asked = process.argv.slice(2);
  const isLongRun = process.env['ALLSOURCE_TEST_FAULTS'] === 'long';
  return asked.length === 0 && isLongRun ? FAULT_TESTS : asked;
}

async function runTests(): Promise<{ status: number; counts: Counts }> {
  const outcome = await build();
  if (outcome.kind === 'failed') return { status: 1, counts: { passed: 0, failed: 1, skipped: 0 } };
  const folder = mkdtempSync(join(tmpdir(), 'allsource-test-'));
  const countsFile = join(folder, 'counts.json');
  const status = runJest({ args: jestArguments(), countsFile });
  const counts = readCounts(countsFile);
  rmSync(folder, { recursive: true });
  return { status, counts };
}

const { status, counts } = await runTests();
const { passed, failed, skipped } = counts;
const ranAny = passed + failed > 0;
if (!ranAny) console.log('No test ran.');
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = status !== 0 || failed > 0 || !ranAny ? 1 : 0;
