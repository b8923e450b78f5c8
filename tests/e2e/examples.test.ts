/** The course in examples/ and the programs in the client's README, run as they are printed, against a store as its users start it. */
import { spawnSync } from 'node:child_process';
import {
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { REPOSITORY, RunningStore } from '../support/running-store.ts';

const EXAMPLES = join(REPOSITORY, 'examples');

let store: RunningStore;
beforeAll(async () => {
  store = await RunningStore.start();
});
afterAll(() => store.remove());

function run(file: string): string {
  const result = spawnSync(process.execPath, [file], {
    env: {
      ...store.environment(),
      CORE_URL: store.coreUrl,
      QUERY_URL: store.url,
      ALLSOURCE_API_KEY: store.apiKey,
    },
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (result.status !== 0) throw new TypeError(`${file} failed:\n${result.stdout}${result.stderr}`);
  return result.stdout;
}

/** What the comment at the top of an example says that it prints. */
function promised(source: string): string {
  const lines = /Prints:\n((?: \*     .*\n)+)/.exec(source)?.[1] ?? '';
  return lines.replace(/^ \*     /gm, '');
}

describe('an example', () => {
  const files = globSync('[0-9]*.ts', { cwd: EXAMPLES }).toSorted();

  it.each(files)('%s prints what it says', (file) => {
    const expected = promised(readFileSync(join(EXAMPLES, file), 'utf8'));
    expect(expected).not.toBe('');
    expect(run(join(EXAMPLES, file))).toBe(expected);
  });

  it('is in the list, whichever it is', () => {
    const listed = [
      ...readFileSync(join(EXAMPLES, 'README.md'), 'utf8').matchAll(/\]\((\d.*?\.ts)\)/g),
    ];
    expect(listed.map(([, file]) => file)).toEqual(files);
  });
});

describe('the README of the client', () => {
  it('shows programs that run as they are printed, but for the address and the key', () => {
    const folder = mkdtempSync(join(tmpdir(), 'allsource-readme-'));
    try {
      mkdirSync(join(folder, 'node_modules/@allsource'), { recursive: true });
      symlinkSync(
        join(REPOSITORY, 'packages/client'),
        join(folder, 'node_modules/@allsource/client'),
      );
      writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
      const readme = readFileSync(join(REPOSITORY, 'packages/client/README.md'), 'utf8');
      const programs = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);
      const printed = programs.map((code, i) => {
        const file = join(folder, `${i}.ts`);
        const address = code.replaceAll('http://localhost:3900', store.coreUrl);
        writeFileSync(file, address.replaceAll('your-api-key', store.apiKey));
        return run(file);
      });
      expect(printed[0]).toBe('Found 1 events\n');
      // The examples have registered an asset of that name.
      expect(printed[1]).toMatch(/^BTC: \{ symbol: 'BTC'/);
      expect(printed).toHaveLength(2);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
