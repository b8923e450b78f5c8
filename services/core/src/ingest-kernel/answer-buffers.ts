/**
 * Buffers for large answers, used again and again. A fresh buffer of 200 KB costs zeroing, page faults and, every few dozen answers, a full garbage
 * collection, together more than writing the answer. Small ones are left to Node's own pool.
 *
 * An answer that is never released, because its socket broke, is collected as any other buffer.
 */
import type { AnswerBytes } from '../append/commit-builder.ts';

const POOLED_BYTES_MIN = 32 * 1024;
/** Together with the largest answers of common batches (2 MB for 10,000 events) this bounds what is kept. */
const KEPT_BYTES_MAX = 16 * 1024 * 1024;

export class AnswerBuffers {
  readonly #free: Buffer[] = [];
  #freeBytes = 0;

  /** A copy of the bytes. */
  copyOf(source: Uint8Array): AnswerBytes {
    if (source.length < POOLED_BYTES_MIN) return { bytes: Buffer.from(source), release: () => {} };
    const buffer = this.#take(source.length);
    buffer.set(source);
    let isReleased = false;
    const release = () => {
      if (!isReleased) this.#giveBack(buffer);
      isReleased = true;
    };
    return { bytes: buffer.subarray(0, source.length), release };
  }

  #take(length: number): Buffer {
    const buffer = this.#free.pop();
    if (buffer === undefined) return Buffer.allocUnsafeSlow(powerOfTwo(length));
    this.#freeBytes -= buffer.length;
    // One that is too small is dropped, so that the kept ones grow to the size in use.
    return buffer.length >= length ? buffer : Buffer.allocUnsafeSlow(powerOfTwo(length));
  }

  #giveBack(buffer: Buffer): void {
    if (this.#freeBytes + buffer.length > KEPT_BYTES_MAX) return;
    this.#free.push(buffer);
    this.#freeBytes += buffer.length;
  }
}

function powerOfTwo(length: number): number {
  return 2 ** Math.ceil(Math.log2(length));
}
