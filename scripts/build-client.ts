/**
 * `npm run build:client [-- --out=FOLDER]`: the TypeScript client as the package that is published, in packages/client/dist: ES modules and CommonJS with types for
 * both, and nothing to install beside it, for what it needs of the shared vocabulary is bundled in.
 *
 *     esm/index.js testing.js chunk-*.js + *.d.ts      cjs/the same as .cjs and .d.cts      package.json README.md LICENSE
 *
 * CommonJS is made from the finished ES modules file by file, so that both doors share one copy of each class there too.
 */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import * as esbuild from 'esbuild';

const REPOSITORY = resolve(import.meta.dirname, '..');
const CLIENT = join(REPOSITORY, 'packages/client');
/** The doors of the package; that for tools stays in the workspace. */
const DOORS = ['index', 'testing'] as const;

/** Builds the package into a folder, which is emptied first. */
async function buildClient(out: string): Promise<void> {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(join(out, 'esm'), { recursive: true });
  mkdirSync(join(out, 'cjs'), { recursive: true });
  const modules = await bundled();
  for (const [name, code] of modules) {
    writeFileSync(join(out, 'esm', name), code);
    writeFileSync(join(out, 'cjs', commonJsName(name)), commonJs(code));
  }
  writeTypes(out);
  writeFileSync(join(out, 'package.json'), `${JSON.stringify(manifest(), null, 2)}\n`);
  for (const file of [join(CLIENT, 'README.md'), join(REPOSITORY, 'LICENSE')])
    copyFileSync(file, join(out, basename(file)));
}

async function bundled(): Promise<[name: string, code: string][]> {
  const { outputFiles } = await esbuild.build({
    absWorkingDir: REPOSITORY,
    entryPoints: DOORS.map((door) => ({ in: join(CLIENT, `src/${door}.ts`), out: door })),
    outdir: 'esm',
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    write: false,
    logLevel: 'error',
  });
  return outputFiles.map(({ path, text }) => [basename(path), text]);
}

function commonJsName(name: string): string {
  return name.replace(/\.js$/, '.cjs');
}

function commonJs(code: string): string {
  const { code: converted } = esbuild.transformSync(code, { format: 'cjs', target: 'node20' });
  return converted.replace(/require\("(\.\/[^"]+)\.js"\)/g, 'require("$1.cjs")');
}

/** The declarations that the doors lead to, for either kind of module. */
function writeTypes(out: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-types-'));
  try {
    emitDeclarations(folder);
    for (const file of reachable(folder)) {
      const text = readFileSync(join(folder, file), 'utf8');
      write(join(out, 'esm', file), text.replace(RELATIVE_IMPORT, "$1'$2.js'"));
      const commonJsFile = file.replace(/\.d\.ts$/, '.d.cts');
      write(join(out, 'cjs', commonJsFile), text.replace(RELATIVE_IMPORT, "$1'$2.cjs'"));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const RELATIVE_IMPORT = /((?:from|import)\s*\(?)['"](\.[^'"]+)\.ts['"]/g;

function emitDeclarations(folder: string): void {
  const flags = ['--noEmit', 'false', '--emitDeclarationOnly', '--declaration'];
  const doors = DOORS.map((door) => join(CLIENT, `src/${door}.ts`));
  const project = join(folder, 'tsconfig.json');
  const settings = {
    extends: join(REPOSITORY, 'tsconfig.base.json'),
    compilerOptions: {
      rootDir: join(REPOSITORY, 'packages'),
      outDir: folder,
      typeRoots: [join(REPOSITORY, 'node_modules/@types')],
    },
    files: doors,
  };
  writeFileSync(project, JSON.stringify(settings));
  const command = join(REPOSITORY, 'node_modules/.bin/tsc');
  const result = spawnSync(command, ['-p', project, ...flags], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`tsc failed:\n${result.stdout}`);
}

/** The files that the doors' declarations name, directly or through others, relative to the folder with the doors. */
function* reachable(folder: string): Generator<string> {
  const root = join(folder, 'client/src');
  const seen = new Set<string>();
  const open: string[] = DOORS.map((door) => `${door}.d.ts`);
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = readFileSync(join(root, file), 'utf8');
    if (text.includes('@allsource/shared'))
      throw new Error(`${file} shows types of the workspace.`);
    for (const [, , path = ''] of text.matchAll(RELATIVE_IMPORT))
      open.push(join(dirname(file), `${path}.d.ts`));
    copyFileSync(join(root, file), mkdirsFor(join(folder, file)));
    yield file;
  }
}

function mkdirsFor(file: string): string {
  mkdirSync(dirname(file), { recursive: true });
  return file;
}

function write(file: string, text: string): void {
  writeFileSync(mkdirsFor(file), text);
}

function exportsOf(door: string): object {
  return {
    import: { types: `./esm/${door}.d.ts`, default: `./esm/${door}.js` },
    require: { types: `./cjs/${door}.d.cts`, default: `./cjs/${door}.cjs` },
  };
}

function manifest(): object {
  const { name, version, license } = JSON.parse(
    readFileSync(join(CLIENT, 'package.json'), 'utf8'),
  ) as Record<string, string>;
  return {
    name,
    version,
    description: 'The TypeScript client of the AllSource event store.',
    license,
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20.3' },
    exports: { '.': exportsOf('index'), './testing': exportsOf('testing') },
  };
}

const asked = process.argv
  .find((argument) => argument.startsWith('--out='))
  ?.slice('--out='.length);
const folder = asked === undefined ? join(CLIENT, 'dist') : resolve(asked);
await buildClient(folder);
const files = readdirSync(folder, { recursive: true }).length;
process.stdout.write(`built ${relative(REPOSITORY, folder)} (${files} files)\n`);
