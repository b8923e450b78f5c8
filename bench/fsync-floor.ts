/**
 * The fsync floor: what one durable write costs on this disk at this moment, without any server. It is measured before and after every run, because
 * figures of durable stores mean nothing without it.
 */
import { closeSync, fdatasyncSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { type LatencySummary, percentile, summarize } from './statistics.ts';

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
      this.#write();
      timesMs[index] = performance.now() - startedAt;
    }
    return percentile(timesMs.sort(), 0.5);
  }

  /**
   * The same writes at a fixed pace (open loop), each timed from when it was due: what this machine alone does to the latencies of anything durable,
   * with one writer and nothing between.
   */
  measurePaced(pace: {
    readonly writesPerSecond: number;
    readonly durationMs: number;
  }): LatencySummary {
    const gapMs = 1000 / pace.writesPerSecond;
    const writes = Math.ceil(pace.durationMs / gapMs);
    const startAt = performance.now();
    const latenciesMs: number[] = [];
    for (let dueAt = startAt; latenciesMs.length < writes; dueAt += gapMs) {
      while (performance.now() < dueAt);
      this.#write();
      latenciesMs.push(performance.now() - dueAt);
    }
    return summarize(latenciesMs);
  }

  #write(): void {
    writeSync(this.#descriptor, this.#block, 0, BLOCK_BYTES, this.#nextOffset());
    fdatasyncSync(this.#descriptor);
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
