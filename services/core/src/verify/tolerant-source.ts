import type { ByteSource } from '../log/frame-walk.ts';
import { diskErrorCode } from '../storage/disk.ts';

const PAGE_BYTES = 4096;
/** What stands in for bytes that cannot be read: no frame holds a page of it, so it is never taken for content. */
export const UNREADABLE = 0xff;

/**
 * Reads on where the disk has bad places. A page that answers with an input/output error is read as 0xff and remembered, so that an inspection
 * names it and goes on behind it.
 */
export class TolerantSource implements ByteSource {
  readonly #source: ByteSource;
  readonly #badPages = new Set<number>();

  constructor(source: ByteSource) {
    this.#source = source;
  }

  async read(target: Buffer, offset: number): Promise<number> {
    try {
      return await this.#source.read(target, offset);
    } catch (thrown) {
      if (diskErrorCode(thrown) !== 'EIO') throw thrown;
      return this.#readPages(target, offset);
    }
  }

  readNow(target: Buffer, offset: number): number {
    return this.#source.readNow(target, offset);
  }

  async #readPages(target: Buffer, offset: number): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      const at = offset + filled;
      const part = target.subarray(filled, filled + PAGE_BYTES - (at % PAGE_BYTES));
      const bytes = await this.#readPage(part, at);
      if (bytes === 0) break;
      filled += bytes;
    }
    return filled;
  }

  async #readPage(target: Buffer, offset: number): Promise<number> {
    try {
      return await this.#source.read(target, offset);
    } catch (thrown) {
      if (diskErrorCode(thrown) !== 'EIO') throw thrown;
      this.#badPages.add(Math.floor(offset / PAGE_BYTES));
      return target.fill(UNREADABLE).length;
    }
  }

  /** True when a part of the range could not be read. */
  isUnreadable(offset: number, endOffset: number): boolean {
    const last = Math.floor((endOffset - 1) / PAGE_BYTES);
    return [...this.#badPages].some(
      (page) => page >= Math.floor(offset / PAGE_BYTES) && page <= last,
    );
  }
}
