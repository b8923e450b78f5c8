/** `npm run check`: formatting, lint, types and dependency directions. Runs all of them, then fails if any did. */
import { spawnSync } from 'node:child_process';
import { repositoryRoot } from './build.ts';

const CHECKS = [
  { name: 'formatting (npm run format)', command: ['biome', 'format', '.'] },
  { name: 'lint', command: ['oxlint', '--type-aware'] },
  { name: 'types', command: ['tsc', '--noEmit', '-p', '.'] },
  {
    name: 'dependency directions',
    command: [
      'depcruise',
      '--output-type',
      'err-long',
      'packages',
      'services',
      'tests',
      'scripts',
      'bench',
      'examples',
    ],
  },
];

/** npm puts node_modules/.bin on PATH, where these commands are. */
function passes(command: string[]): boolean {
  const [executable = '', ...args] = command;
  return spawnSync(executable, args, { cwd: repositoryRoot, stdio: 'inherit' }).status === 0;
}

const failed: string[] = [];
for (const { name, command } of CHECKS) {
  console.log(`\n--- ${name}: ${command.join(' ')}`);
  if (!passes(command)) failed.push(name);
}
console.log(failed.length === 0 ? '\nAll checks passed.' : `\nFailed: ${failed.join('; ')}`);
process.exitCode = failed.length === 0 ? 0 : 1;
