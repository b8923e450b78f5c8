/**
 * Compiles the ingest kernel, kernel/assembly, to WebAssembly. The build puts the result beside the bundle; tests and benchmarks, which run from the
 * sources, take it from a cache that is keyed by the sources.
 */
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

const KERNEL_FOLDER = import.meta.dirname;
const CACHE_FOLDER = resolve(KERNEL_FOLDER, '../../../node_modules/.cache/ingest-kernel');
// Addresses below the layout's own regions are the compiler's; memory may grow to what 32 bits address.
const OPTIONS =
  '-O3 --converge --noAssert --runtime stub --enable simd --memoryBase 1024 --maximumMemory 65536'.split(
    ' ',
  );

/** The sources of the kernel, for those who must know whether a compiled one is still theirs. */
export function kernelSources(): string[] {
  const sources = globSync('assembly/*.ts', { cwd: KERNEL_FOLDER }).toSorted();
  return ['compile-kernel.ts', ...sources].map((file) => join(KERNEL_FOLDER, file));
}

/** The compiled kernel of these sources; compiles it unless the cache has it. */
export async function compileKernel(): Promise<Buffer> {
  const file = join(CACHE_FOLDER, `${sourcesHash()}.wasm`);
  if (!existsSync(file)) await compileTo(file);
  return readFileSync(file);
}

function sourcesHash(): string {
  const compiler = createRequire(import.meta.url).resolve('assemblyscript/package.json');
  const hash = createHash('sha256');
  for (const file of [...kernelSources(), compiler]) hash.update(readFileSync(file)).update('\0');
  return hash.digest('hex').slice(0, 32);
}

async function compileTo(file: string): Promise<void> {
  mkdirSync(CACHE_FOLDER, { recursive: true });
  const temporary = `${file}.${process.pid}`;
  // Loading the compiler takes over a second, which a cached kernel need not pay.
  const { main: asc } = await import('assemblyscript/asc');
  const { error } = await asc([
    join(KERNEL_FOLDER, 'assembly/index.ts'),
    '--outFile',
    temporary,
    ...OPTIONS,
  ]);
  if (error !== null) throw new TypeError(`The ingest kernel does not compile:\n${error.message}`);
  renameSync(temporary, file);
}
