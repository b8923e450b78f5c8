/** The ingest kernel for tests, compiled from the sources of this tree. */
import { randomBytes } from 'node:crypto';
import { IngestKernel } from '../../src/ingest-kernel/ingest-kernel.ts';
import { compileKernel } from '../../../../scripts/compile-kernel.ts';

/** The compiled kernel, for tests of its parts. */
export const kernelWasm = await compileKernel('services/core');

/** A kernel of its own, with an empty entity table. */
export function testKernel(limits: { inputBytesMax?: number; eventsMax?: number } = {}) {
  return new IngestKernel({
    wasm: kernelWasm,
    inputBytesMax: limits.inputBytesMax ?? 4 * 1024 * 1024,
    eventsMax: limits.eventsMax ?? 10_000,
    hashKey: randomBytes(16),
    idSeed: randomBytes(8),
  });
}
