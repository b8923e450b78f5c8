/**
 * Finds the compiled kernel. The build puts it beside the bundle, and a core that runs from its sources takes it from there. Without it core
 * does the same work in TypeScript, only slower, so a missing file is said and is no failure.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS } from '@allsource/shared/limits';
import { IngestKernel } from './ingest-kernel.ts';

/** The name of the compiled kernel in dist/. */
const KERNEL_FILE = 'ingest-kernel.wasm';

// Room for any frame. Memory that is never touched costs nothing but addresses.
const INPUT_BYTES_MAX = LIMITS.frameBytesMax;

/** A kernel with an empty entity table, for batches of up to `eventsMax` events; null when it has not been built. */
export function loadIngestKernel(eventsMax: number): IngestKernel | null {
  const places = [import.meta.dirname, join(import.meta.dirname, '../../dist')];
  const file = places.map((folder) => join(folder, KERNEL_FILE)).find(existsSync);
  if (file === undefined) return null;
  return new IngestKernel({
    wasm: readFileSync(file),
    inputBytesMax: INPUT_BYTES_MAX,
    eventsMax: Math.max(eventsMax, LIMITS.batchEventsMax, LIMITS.bulkStatesMax),
    hashKey: randomBytes(16),
    idSeed: randomBytes(8),
  });
}
