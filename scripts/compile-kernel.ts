/**
 * Compiles kernels, AssemblyScript in a service's kernel/assembly, to WebAssembly. The build puts the result beside the bundle; tests and benchmarks, which run from
 * the sources, take it from a cache that is keyed by the sources.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

/** The name of each service's kernel. */
const KERNELS = {
  'services/core': 'ingest-kernel',
  'services/query': 'page-kernel',
};

/** A service with a kernel. */
export type KernelFolder = keyof typeof KERNELS;

const ROOT = resolve(import.meta.dirname, '..');
const CACHE_FOLDER = join(ROOT, 'node_modules/.cache/kernels');
// Addresses below the layout's own regions are the compiler's; memory may grow to what 32 bits address.
const OPTIONS =
  '-O3 --converge --noAssert --runtime stub --enable simd --memoryBase 1024 --maximumMemory 65536'.split(
    ' ',
  );
// Not a literal of the import: the compiler's declarations bring globals along that say other things of arrays than TypeScript does, to every program that reaches them.
const COMPILER: string = 'assemblyscript/asc';
const RELATIVE_IMPORT = /from '(\.{1,2}\/[^']+)'/g;

interface Compiler {
  readonly main: (options: string[]) => Promise<{ readonly error: Error | null }>;
}

export function hasKernel(folder: string): folder is KernelFolder {
  return folder in KERNELS;
}

/** The name of the compiled kernel beside the bundle. */
export function kernelFile(folder: KernelFolder): string {
  return `${KERNELS[folder]}.wasm`;
}

/** The sources of a kernel, those it imports from another and this compiler, for those who must know whether a compiled one is still theirs. */
export function kernelSources(folder: KernelFolder): string[] {
  const sources = new Set<string>([import.meta.filename]);
  addImported(indexOf(folder), sources);
  return [...sources].toSorted();
}

/** The compiled kernel of these sources; compiles it unless the cache has it. */
export async function compileKernel(folder: KernelFolder): Promise<Buffer> {
  const file = join(CACHE_FOLDER, `${KERNELS[folder]}-${sourcesHash(folder)}.wasm`);
  if (!existsSync(file)) await compileTo(file, folder);
  return readFileSync(file);
}

function indexOf(folder: KernelFolder): string {
  return join(ROOT, folder, 'kernel/assembly/index.ts');
}

function addImported(file: string, sources: Set<string>): void {
  if (sources.has(file)) return;
  sources.add(file);
  for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(RELATIVE_IMPORT))
    addImported(`${resolve(file, '..', path)}.ts`, sources);
}

function sourcesHash(folder: KernelFolder): string {
  const compiler = createRequire(import.meta.url).resolve('assemblyscript/package.json');
  const hash = createHash('sha256');
  for (const file of [...kernelSources(folder), compiler])
    hash.update(readFileSync(file)).update('\0');
  return hash.digest('hex').slice(0, 32);
}

async function compileTo(file: string, folder: KernelFolder): Promise<void> {
  mkdirSync(CACHE_FOLDER, { recursive: true });
  const temporary = `${file}.${process.pid}`;
  // Loading the compiler takes over a second, which a cached kernel need not pay.
  const { main: asc } = (await import(COMPILER)) as Compiler;
  const { error } = await asc([indexOf(folder), '--outFile', temporary, ...OPTIONS]);
  if (error !== null) throw new TypeError(`${KERNELS[folder]} does not compile:\n${error.message}`);
  renameSync(temporary, file);
}
