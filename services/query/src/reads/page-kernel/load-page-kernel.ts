/**
 * Finds the compiled page kernel. The build puts it beside the bundle, and a query service that runs from its sources takes it from there. Without it pages are
 * written event by event, only slower, so a missing file is said at the start and is no failure.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PageKernel } from './page-kernel.ts';

/** The name of the compiled kernel in dist/. */
const KERNEL_FILE = 'page-kernel.wasm';

let loaded: PageKernel | null | undefined;

/** The kernel of this process; null when it has not been built. */
export function pageKernel(): PageKernel | null {
  if (loaded === undefined) loaded = load();
  return loaded;
}

function load(): PageKernel | null {
  const places = [import.meta.dirname, join(import.meta.dirname, '../../../dist')];
  const file = places.map((folder) => join(folder, KERNEL_FILE)).find(existsSync);
  return file === undefined ? null : new PageKernel(readFileSync(file));
}
