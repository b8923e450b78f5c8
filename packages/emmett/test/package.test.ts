/** The package as it is published: built beside the published client and used as its users do, without the workspace. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const REPOSITORY = join(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'allsource-emmett-package-'));

function run(command: string, args: readonly string[]): string {
  const environment = { ...process.env };
  delete environment['NODE_OPTIONS'];
  const result = spawnSync(command, args, { cwd: folder, env: environment, encoding: 'utf8' });
  if (result.status !== 0)
    throw new TypeError(`${command} failed:\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

beforeAll(() => {
  for (const name of ['client', 'emmett']) {
    const out = join(folder, 'node_modules/@allsource', name);
    mkdirSync(out, { recursive: true });
    run(process.execPath, [join(REPOSITORY, `scripts/build-${name}.ts`), `--out=${out}`]);
  }
  const peer = '@event-driven-io/emmett';
  mkdirSync(join(folder, 'node_modules/@event-driven-io'));
  symlinkSync(
    realpathSync(join(REPOSITORY, 'packages/emmett/node_modules', peer)),
    join(folder, 'node_modules', peer),
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const USE = `
  const eventStore = getAllSourceEventStore(new InMemoryStore().connection);
  type Opened = Event<'CartOpened', { by: string }>;
  const evolve = (_: string, event: Opened) => event.data.by;
  const handle = CommandHandler<string, Opened>({ evolve, initialState: () => '' });
  await handle(eventStore, 'cart-1', () => ({ type: 'CartOpened', data: { by: 'alice' } }));
  const { state, currentStreamVersion } = await eventStore.aggregateStream('cart-1', { evolve, initialState: () => '' });
  const version: bigint = currentStreamVersion;
  console.log(state, String(version));
  await eventStore.close();`;
const MODULE = `
import { getAllSourceEventStore } from '@allsource/emmett';
import { InMemoryStore } from '@allsource/client/testing';
import { CommandHandler, type Event } from '@event-driven-io/emmett';
async function main(): Promise<void> {${USE}}
void main();`;

describe('the published package', () => {
  it('has types, and works as ES modules and as CommonJS beside the client and Emmett', () => {
    for (const file of ['use.mts', 'use.cts']) writeFileSync(join(folder, file), MODULE);
    const flags = ['--strict', '--exactOptionalPropertyTypes', '--skipLibCheck'];
    const target = ['--target', 'es2024', '--module', 'nodenext'];
    const types = ['--types', 'node', '--typeRoots', join(REPOSITORY, 'node_modules/@types')];
    const tsc = join(REPOSITORY, 'node_modules/.bin/tsc');
    const libraries = ['--lib', 'es2024,esnext.disposable'];
    run(tsc, [...flags, ...target, ...types, ...libraries, 'use.mts', 'use.cts']);
    for (const file of ['use.mjs', 'use.cjs'])
      expect(run(process.execPath, [file])).toBe('alice 1\n');
  });
});
