/**
 * A package of the workspace as it is published: ES modules and CommonJS with types for both. What it needs of the workspace's private vocabulary is bundled in; what
 * its users install beside it stays an import.
 *
 *     esm/index.js ... chunk-*.js + *.d.ts      cjs/the same as .cjs and .d.cts      package.json README.md LICENSE
 *
 * CommonJS is made from the finished ES modules file by file, so that all doors share one copy of each class there too.
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

export interface PublishedPackage {
  /** The folder of the package below `packages/`. */
  readonly folder: string;
  readonly description: string;
  /** The files of `src/` that its users import; the first is the package itself. */
  readonly doors: readonly string[];
  /** What is installed beside it. */
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** Builds into the folder of `--out=FOLDER`, or into the package's `dist`; the folder is emptied first. */
export async function buildPackage(published: PublishedPackage): Promise<void> {
  const source = join(REPOSITORY, 'packages', published.folder);
  const asked = process.argv.find((argument) => argument.startsWith('--out='));
  const out = asked === undefined ? join(source, 'dist') : resolve(asked.slice('--out='.length));
  rmSync(out, { recursive: true, force: true });
  mkdirSync(join(out, 'esm'), { recursive: true });
  mkdirSync(join(out, 'cjs'), { recursive: true });
  for (const [name, code] of await bundled(published)) {
    writeFileSync(join(out, 'esm', name), code);
    writeFileSync(join(out, 'cjs', name.replace(/\.js$/, '.cjs')), commonJs(code));
  }
  writeTypes(published, out);
  const manifest = `${JSON.stringify(manifestOf(published), null, 2)}\n`;
  writeFileSync(join(out, 'package.json'), manifest);
  for (const file of [join(source, 'README.md'), join(REPOSITORY, 'LICENSE')])
    copyFileSync(file, join(out, basename(file)));
  const files = readdirSync(out, { recursive: true }).length;
  process.stdout.write(`built ${relative(REPOSITORY, out)} (${files} files)\n`);
}

/** The version of a package of the workspace. */
export function versionOf(folder: string): string {
  return String(sourceManifest(folder)['version']);
}

function sourceManifest(folder: string): Record<string, unknown> {
  const file = join(REPOSITORY, 'packages', folder, 'package.json');
  return JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
}

function installedBeside({ dependencies = {}, peerDependencies = {} }: PublishedPackage): string[] {
  return Object.keys({ ...dependencies, ...peerDependencies });
}

async function bundled(published: PublishedPackage): Promise<[name: string, code: string][]> {
  const { folder, doors } = published;
  const { outputFiles } = await esbuild.build({
    absWorkingDir: REPOSITORY,
    entryPoints: doors.map((door) => ({ in: `packages/${folder}/src/${door}.ts`, out: door })),
    outdir: 'esm',
    bundle: true,
    splitting: true,
    external: installedBeside(published),
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // So that a bundler can leave out what is not used: numbers are worked out, and these calls at the top of a module are known to do nothing else.
    minifySyntax: true,
    pure: ['Array.from', 'Date.UTC', 'Uint8Array.of'],
    write: false,
    logLevel: 'error',
  });
  return outputFiles.map(({ path, text }) => [basename(path), text]);
}

function commonJs(code: string): string {
  const { code: converted } = esbuild.transformSync(code, { format: 'cjs', target: 'node20' });
  return converted.replace(/require\("(\.\/[^"]+)\.js"\)/g, 'require("$1.cjs")');
}

/** The declarations that the doors lead to, for either kind of module. */
function writeTypes(published: PublishedPackage, out: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'allsource-types-'));
  try {
    emitDeclarations(published, folder);
    const root = join(folder, 'out', published.folder, 'src');
    for (const file of reachable(root, published.doors)) {
      const text = readFileSync(join(root, file), 'utf8');
      write(join(out, 'esm', file), text.replace(RELATIVE_IMPORT, "$1'$2.js'"));
      const commonJsFile = file.replace(/\.d\.ts$/, '.d.cts');
      write(join(out, 'cjs', commonJsFile), text.replace(RELATIVE_IMPORT, "$1'$2.cjs'"));
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const RELATIVE_IMPORT = /((?:from|import)\s*\(?)['"](\.[^'"]+)\.ts['"]/g;

function emitDeclarations({ folder: name, doors }: PublishedPackage, folder: string): void {
  const flags = ['--noEmit', 'false', '--emitDeclarationOnly', '--declaration'];
  const project = join(folder, 'tsconfig.json');
  const settings = {
    extends: join(REPOSITORY, 'tsconfig.base.json'),
    compilerOptions: {
      rootDir: join(REPOSITORY, 'packages'),
      outDir: join(folder, 'out'),
      typeRoots: [join(REPOSITORY, 'node_modules/@types')],
    },
    files: doors.map((door) => join(REPOSITORY, 'packages', name, `src/${door}.ts`)),
  };
  writeFileSync(project, JSON.stringify(settings));
  const command = join(REPOSITORY, 'node_modules/.bin/tsc');
  const result = spawnSync(command, ['-p', project, ...flags], { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`tsc failed:\n${result.stdout}`);
}

/** The files that the doors' declarations name, directly or through others, relative to the folder with the doors. */
function* reachable(root: string, doors: readonly string[]): Generator<string> {
  const seen = new Set<string>();
  const open = doors.map((door) => `${door}.d.ts`);
  for (let file = open.pop(); file !== undefined; file = open.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    const text = readFileSync(join(root, file), 'utf8');
    if (text.includes('@allsource/shared'))
      throw new Error(`${file} shows types of the workspace.`);
    for (const [, , path = ''] of text.matchAll(RELATIVE_IMPORT))
      open.push(join(dirname(file), `${path}.d.ts`));
    yield file;
  }
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

function manifestOf(published: PublishedPackage): object {
  const { folder, description, doors, dependencies, peerDependencies } = published;
  const { name, version, license } = sourceManifest(folder);
  return {
    name,
    version,
    description,
    license,
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20.3' },
    exports: Object.fromEntries(
      doors.map((door) => [door === 'index' ? '.' : `./${door}`, exportsOf(door)]),
    ),
    dependencies,
    peerDependencies,
  };
}

function exportsOf(door: string): object {
  return {
    import: { types: `./esm/${door}.d.ts`, default: `./esm/${door}.js` },
    require: { types: `./cjs/${door}.d.cts`, default: `./cjs/${door}.cjs` },
  };
}
