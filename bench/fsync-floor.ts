/**
 * The fsync floor: what one durable write costs on this disk at this moment, without any server. It is measured before and after every run, because
 * figures of durable stores mean nothing without it.
 */
import { closeSync, fdatasyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { percentile } from './statistics.ts';

const BLOCK_BYTES = 4096;
const FILE_BLOCKS = 1024;

/** A preallocated file to measure on. */
export class FsyncFloor {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #block = Buffer.alloc(BLOCK_BYTES, 'f');
  #next = 0;

  constructor(folder: string) {
    this.#path = join(folder, 'floor');
    this.#descriptor = openSync(this.#path, 'w');
    writeSync(this.#descriptor, Buffer.alloc(BLOCK_BYTES * FILE_BLOCKS));
    fdatasyncSync(this.#descriptor);
  }

  /** The median time of a 4 KB write and its fdatasync, in milliseconds. */
  measure(writes: number): number {
    const timesMs = new Float64Array(writes);
    for (let index = 0; index < writes; index += 1) {
      const startedAt = performance.now();
      writeSync(this.#descriptor, this.#block, 0, BLOCK_BYTES, this.#nextOffset());
      fdatasyncSync(this.#descriptor);
      timesMs[index] = performance.now() - startedAt;
    }
    return percentile(timesMs.sort(), 0.5);
  }

  close(): void {
    closeSync(this.#descriptor);
    unlinkSync(this.#path);
  }

  #nextOffset(): number {
    this.#next = (this.#next + 1) % FILE_BLOCKS;
    return this.#next * BLOCK_BYTES;
  }
}
