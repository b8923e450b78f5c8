/** The package as it is published: built into a folder of its own and used there as its users do, without the workspace. */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { build } from 'esbuild';

const REPOSITORY = join(import.meta.dirname, '../../..');
const folder = mkdtempSync(join(tmpdir(), 'allsource-package-'));
const installed = join(folder, 'node_modules/@allsource/client');

function run(command: string, args: readonly string[]): string {
  const environment = { ...process.env };
  delete environment['NODE_OPTIONS'];
  const result = spawnSync(command, args, { cwd: folder, env: environment, encoding: 'utf8' });
  if (result.status !== 0)
    throw new TypeError(`${command} failed:\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

beforeAll(() => {
  mkdirSync(installed, { recursive: true });
  run(process.execPath, [join(REPOSITORY, 'scripts/build-client.ts'), `--out=${installed}`]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const USE = `
  const store = new InMemoryStore();
  const core = store.coreClient();
  await core.ingestEvent({ eventType: 'order.placed', entityId: 'o', payload: { total: 1 }, expectedVersion: 0 });
  let conflict;
  try {
    await core.ingestEvent({ eventType: 'order.placed', entityId: 'o', payload: {}, expectedVersion: 0 });
  } catch (error) { conflict = error; }
  const worker = new ProjectionWorker({ core, name: 'w', initialState: () => ({ n: 0 }), reducer: (s) => { s.n += 1; } });
  await worker.start();
  await worker.caughtUp();
  console.log(conflict instanceof VersionConflictError, conflict.currentVersion, worker.state().n);
  await worker.stop();`;
const NAMES = '{ ProjectionWorker, VersionConflictError }';
const MODULE = `import ${NAMES} from '@allsource/client'; import { InMemoryStore } from '@allsource/client/testing';${USE}`;
const COMMON = `const ${NAMES} = require('@allsource/client'); const { InMemoryStore } = require('@allsource/client/testing');(async () => {${USE}})();`;

/** This Node, and Node 20 where it is. */
function nodes(): string[] {
  const found = ['/usr/bin/node', '/usr/local/bin/node'].filter(
    (node) => existsSync(node) && run(node, ['--version']).startsWith('v20.'),
  );
  if (found.length === 0)
    process.stderr.write(
      '\n*** NOT TESTED: the client on Node 20, which is not on this machine. ***\n\n',
    );
  return [process.execPath, ...found.slice(0, 1)];
}

async function bundled(code: string): Promise<string> {
  const result = await build({
    stdin: { contents: code, resolveDir: folder },
    bundle: true,
    format: 'esm',
    write: false,
    minifySyntax: true,
  });
  return result.outputFiles[0]?.text ?? '';
}

function typedUse(hasMistake: boolean): string {
  return `
  import { CoreClient, QueryClient, type EventOf } from '@allsource/client';
  import { InMemoryStore } from '@allsource/client/testing';
  type Events = { 'order.placed': { total: number }; 'order.paid': { by: string } };
  const store = new InMemoryStore();
  const core: CoreClient<Events> = store.coreClient<Events>();
  const query = new QueryClient<Events>(store.connection);
  export async function use(): Promise<number> {
    await core.ingestEvent({ eventType: 'order.paid', entityId: 'o', payload: { by: 'card' } });
    ${hasMistake ? '' : '// @ts-expect-error a payload of another type'}
    await core.ingestEvent({ eventType: 'order.paid', entityId: 'o', payload: { total: 1 } });
    const page = await query.queryEvents({ eventType: 'order.placed' });
    return page.events.reduce((sum, event) => sum + event.payload.total, 0);
  }
  export function text(event: EventOf<Events>): string {
    switch (event.eventType) {
      case 'order.placed': return event.payload.total.toFixed(2);
      case 'order.paid': return event.payload.by;
    }
  }`;
}

describe('the published package', () => {
  it('works as ES modules and as CommonJS, each with one copy of its classes, on this Node and on Node 20', () => {
    writeFileSync(join(folder, 'use.mjs'), MODULE);
    writeFileSync(join(folder, 'use.cjs'), COMMON);
    for (const node of nodes())
      for (const file of ['use.mjs', 'use.cjs']) expect(run(node, [file])).toBe('true 1 1\n');
  });

  it('installs nothing beside it: no import leads out of it, and its main door names nothing of Node', () => {
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as object;
    expect(Object.keys(manifest)).not.toContain('dependencies');
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
    const outward = files
      .filter((file) => /\.(c?js|d\.c?ts)$/.test(file))
      .flatMap((file) => [
        ...readFileSync(join(installed, file), 'utf8').matchAll(
          /^(?:import|export)[^;]*?from ['"]([^.'"][^'"]*)['"]|require\("([^."][^"]*)"\)/gm,
        ),
      ]);
    expect(outward.map(([text]) => text)).toEqual([]);
  });

  it('leaves out of a bundle what is not used', async () => {
    const core = await bundled(
      `import { CoreClient } from '@allsource/client'; console.log(CoreClient);`,
    );
    const worker = await bundled(
      `import { ProjectionWorker } from '@allsource/client'; console.log(ProjectionWorker);`,
    );
    for (const unused of [
      'A worker is started once',
      'analytics/frequency',
      'replay_complete',
      'schemaBytesMax',
      'The body is not JSON',
    ])
      expect(core).not.toContain(unused);
    expect(worker).toContain('A worker is started once');
    expect(core.length).toBeLessThan(worker.length);
    const position = await bundled(
      `import { positionOfEventId } from '@allsource/client'; console.log(positionOfEventId);`,
    );
    expect(position.length).toBeLessThan(2_000);
    expect(core).toContain('idempotency-key');
  });

  it('has types for both kinds of modules, that tell events apart and find mistakes', () => {
    writeFileSync(join(folder, 'types.mts'), typedUse(false));
    writeFileSync(join(folder, 'types.cts'), typedUse(false));
    const flags = [
      '--noEmit',
      '--strict',
      '--exactOptionalPropertyTypes',
      '--target',
      'es2024',
      '--module',
      'nodenext',
    ];
    const types = ['--types', 'node', '--typeRoots', join(REPOSITORY, 'node_modules/@types')];
    const tsc = join(REPOSITORY, 'node_modules/.bin/tsc');
    expect(
      run(tsc, [...flags, ...types, '--lib', 'es2024,esnext.disposable', 'types.mts', 'types.cts']),
    ).toBe('');
    writeFileSync(join(folder, 'mistake.mts'), typedUse(true));
    expect(() => run(tsc, [...flags, ...types, 'mistake.mts'])).toThrow(/TS2322|TS2353|TS2345/);
  });
});
