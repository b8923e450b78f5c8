/**
 * Bundles each runnable's `src/main.ts` into `dist/main.js`, and each of its `src/**\/*.worker.ts` into `dist/<name>.worker.js`
 * beside it. Workspace packages are bundled in; third-party packages stay imports, found in node_modules at run time.
 *
 * `npm start` and `npm test` build first, so an unchanged tree must cost almost nothing: dist/.sources holds the hash of
 * every file that esbuild read for that bundle, and a bundle whose hash still fits is left alone.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import * as esbuild from 'esbuild';

export const repositoryRoot = resolve(import.meta.dirname, '..');

const RUNNABLES = ['services/core', 'services/query', 'services/control-plane', 'packages/cli'];

/** Bundles what has changed, and returns the folders that were bundled. */
export async function build(): Promise<string[]> {
  const present = RUNNABLES.filter((folder) => existsSync(absolute(`${folder}/src/main.ts`)));
  const stale = present.filter((folder) => !isFresh(folder));
  await Promise.all(stale.map(bundle));
  return stale;
}

const keepThirdPartyExternal: esbuild.Plugin = {
  name: 'keep-third-party-external',
  setup(plugin) {
    plugin.onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
      if (kind === 'entry-point' || path.startsWith('@allsource/')) return undefined;
      return { path, external: true };
    });
  },
};

async function bundle(folder: string): Promise<void> {
  rmSync(absolute(`${folder}/dist`), { recursive: true, force: true });
  const result = await esbuild.build({
    absWorkingDir: repositoryRoot,
    entryPoints: entryPoints(folder).map((file) => ({ in: file, out: basename(file, '.ts') })),
    outdir: `${folder}/dist`,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    sourcemap: true,
    metafile: true,
    logLevel: 'error',
    plugins: [keepThirdPartyExternal],
  });
  const sources = Object.keys(result.metafile.inputs).toSorted();
  const record: SourceRecord = { sources, hash: hashOf(folder, sources) };
  mkdirSync(absolute(`${folder}/dist`), { recursive: true });
  writeFileSync(recordFile(folder), JSON.stringify(record, undefined, 2));
}

type SourceRecord = { sources: string[]; hash: string };

function isFresh(folder: string): boolean {
  if (!existsSync(recordFile(folder))) return false;
  const record = JSON.parse(readFileSync(recordFile(folder), 'utf8')) as SourceRecord;
  return (
    record.sources.every((file) => existsSync(absolute(file))) &&
    record.hash === hashOf(folder, record.sources)
  );
}

/** Covers the list of entry points and this file too: a new worker or another build option makes a bundle stale. */
function hashOf(folder: string, sources: string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(entryPoints(folder)));
  for (const file of ['scripts/build.ts', ...sources]) {
    hash.update(`\0${file}\0`).update(readFileSync(absolute(file)));
  }
  return hash.digest('hex');
}

function entryPoints(folder: string): string[] {
  const workers = globSync(`${folder}/src/**/*.worker.ts`, { cwd: repositoryRoot }).toSorted();
  return [`${folder}/src/main.ts`, ...workers];
}

function recordFile(folder: string): string {
  return absolute(`${folder}/dist/.sources`);
}

function absolute(path: string): string {
  return join(repositoryRoot, path);
}

if (import.meta.main) {
  const startedAtMs = performance.now();
  const built = await build();
  const tookMs = Math.round(performance.now() - startedAtMs);
  console.log(
    built.length === 0 ? `up to date (${tookMs} ms)` : `built ${built.join(', ')} (${tookMs} ms)`,
  );
}
