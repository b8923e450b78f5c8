/**
 * Bundles each runnable's `src/main.ts` into `dist/main.js`, and each `src/**\/*.worker.ts` (a thread) and `src/**\/*.program.ts` (a process of its own), its own and
 * those of the workspace packages it depends on, into `dist/<name>.worker.js` or `dist/<name>.program.js` beside it. Workspace packages are bundled in; third-party
 * packages stay imports, found in node_modules at run time. The kernels of core and query are compiled to WebAssembly beside their bundles.
 *
 * `npm start` and `npm test` build first, so an unchanged tree must cost almost nothing: dist/.sources holds the hash of
 * every file that esbuild read for that bundle, and a bundle whose hash still fits is left alone.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import * as esbuild from 'esbuild';
import { compileKernel, hasKernel, kernelFile, kernelSources } from './compile-kernel.ts';

export const repositoryRoot = resolve(import.meta.dirname, '..');

const WORKSPACE_SCOPE = '@allsource/';

const RUNNABLES = ['services/core', 'services/query', 'services/control-plane', 'packages/cli'];

/** What became of a build: the folders that were bundled anew, or the errors, which have been printed. */
export type BuildOutcome = { kind: 'built'; folders: string[] } | { kind: 'failed' };

/** Bundles what has changed. */
export async function build(): Promise<BuildOutcome> {
  const present = RUNNABLES.filter((folder) => existsSync(absolute(`${folder}/src/main.ts`)));
  const stale = present.filter((folder) => !isFresh(folder));
  const bundled = await Promise.allSettled(stale.map(bundle));
  const failed = bundled.some(({ status }) => status === 'rejected');
  return failed ? { kind: 'failed' } : { kind: 'built', folders: stale };
}

const keepThirdPartyExternal: esbuild.Plugin = {
  name: 'keep-third-party-external',
  setup(plugin) {
    plugin.onResolve({ filter: /^[^./]/ }, ({ path, kind }) => {
      if (kind === 'entry-point' || isOfWorkspace(path)) return undefined;
      return { path, external: true };
    });
  },
};

async function bundle(folder: string): Promise<void> {
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
    write: false,
    logLevel: 'error',
    plugins: [keepThirdPartyExternal],
  });
  const kernel = await compiledKernel(folder);
  const sources = [...Object.keys(result.metafile.inputs), ...kernel.sources].toSorted();
  const made = [
    ...result.outputFiles.map(({ path, contents }) => ({ path, contents })),
    ...kernel.files,
  ];
  const record: SourceRecord = {
    sources,
    hash: hashOf(folder, sources),
    outputs: made.map(({ path }) => basename(path)),
  };
  // The record goes last: what a stop half-way leaves is not taken for a finished build.
  const files = [
    ...made,
    { path: recordFile(folder), contents: JSON.stringify(record, undefined, 2) },
  ];
  replaceDist(absolute(`${folder}/dist`), files);
}

type OutputFile = { path: string; contents: string | Uint8Array };

async function compiledKernel(folder: string): Promise<{ sources: string[]; files: OutputFile[] }> {
  if (!hasKernel(folder)) return { sources: [], files: [] };
  const path = absolute(`${folder}/dist/${kernelFile(folder)}`);
  return {
    sources: kernelSources(folder).map((file) => relative(repositoryRoot, file)),
    files: [{ path, contents: await compileKernel(folder) }],
  };
}

/** Each file is replaced in one step, for a service may be starting from the old ones at this moment. */
function replaceDist(dist: string, files: OutputFile[]): void {
  mkdirSync(dist, { recursive: true });
  for (const { path, contents } of files) {
    const temporary = `${path}.${process.pid}`;
    writeFileSync(temporary, contents);
    renameSync(temporary, path);
  }
  const kept = new Set(files.map(({ path }) => basename(path)));
  for (const name of readdirSync(dist))
    if (!kept.has(name)) rmSync(join(dist, name), { force: true });
}

type SourceRecord = { sources: string[]; hash: string; outputs: string[] };

function isFresh(folder: string): boolean {
  if (!existsSync(recordFile(folder))) return false;
  const record = JSON.parse(readFileSync(recordFile(folder), 'utf8')) as SourceRecord;
  return (
    record.sources.every((file) => existsSync(absolute(file))) &&
    record.hash === hashOf(folder, record.sources) &&
    record.outputs.every((name) => existsSync(absolute(`${folder}/dist/${name}`)))
  );
}

/** Covers the list of entry points and this file too: a new program or another build option makes a bundle stale. */
function hashOf(folder: string, sources: string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(entryPoints(folder)));
  for (const file of ['scripts/build.ts', ...sources]) {
    hash.update(`\0${file}\0`).update(readFileSync(absolute(file)));
  }
  return hash.digest('hex');
}

function entryPoints(folder: string): string[] {
  const patterns = [...foldersOf(folder)].map((part) => `${part}/src/**/*.{worker,program}.ts`);
  const others = globSync(patterns, { cwd: repositoryRoot }).toSorted();
  return [`${folder}/src/main.ts`, ...others];
}

/** The folder, and those of the workspace packages it depends on. */
function foldersOf(folder: string, found = new Set<string>()): Set<string> {
  if (found.has(folder)) return found;
  found.add(folder);
  const manifest = readFileSync(absolute(`${folder}/package.json`), 'utf8');
  const { dependencies = {} } = JSON.parse(manifest) as { dependencies?: Record<string, string> };
  for (const name of Object.keys(dependencies).filter(isOfWorkspace))
    foldersOf(name.replace(WORKSPACE_SCOPE, 'packages/'), found);
  return found;
}

function isOfWorkspace(name: string): boolean {
  return name.startsWith(WORKSPACE_SCOPE);
}

function recordFile(folder: string): string {
  return absolute(`${folder}/dist/.sources`);
}

function absolute(path: string): string {
  return join(repositoryRoot, path);
}

if (import.meta.main) {
  const startedAtMs = performance.now();
  const outcome = await build();
  const tookMs = Math.round(performance.now() - startedAtMs);
  if (outcome.kind === 'failed') process.exitCode = 1;
  else if (outcome.folders.length === 0) console.log(`up to date (${tookMs} ms)`);
  else console.log(`built ${outcome.folders.join(', ')} (${tookMs} ms)`);
}
