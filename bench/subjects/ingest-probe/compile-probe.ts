/** Compiles the kernel of the ingest probe to WebAssembly; compiles it only when no compiled one of the same source is in the cache. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';

const SOURCE = resolve(import.meta.dirname, 'assembly/kernel.ts');
const CACHE_FOLDER = resolve(import.meta.dirname, '../../../node_modules/.cache/ingest-probe');
const MEMORY_PAGES = 2048;
const OPTIONS = `-O3 --noAssert --runtime stub --enable simd --memoryBase 1024 --initialMemory ${MEMORY_PAGES}`;

/** The path of the compiled kernel. */
export async function compileProbe(): Promise<string> {
  const hash = createHash('sha256').update(OPTIONS).update(readFileSync(SOURCE)).digest('hex');
  const file = join(CACHE_FOLDER, `${hash.slice(0, 32)}.wasm`);
  if (existsSync(file)) return file;
  mkdirSync(CACHE_FOLDER, { recursive: true });
  const temporary = `${file}.${process.pid}`;
  // Loading the compiler takes over a second, which a cached kernel need not pay.
  const { main: asc } = await import('assemblyscript/asc');
  const { error } = await asc([SOURCE, '--outFile', temporary, ...OPTIONS.split(' ')]);
  if (error !== null) throw new Error(`The ingest probe does not compile:\n${error.message}`);
  renameSync(temporary, file);
  return file;
}
