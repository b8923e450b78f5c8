/**
 * Decompressed blocks of sealed segments, the ones used last, bounded in bytes. An entity's events often lie near each other, so the walk along its
 * chain meets the same block again and again and decompresses it once.
 */
export class BlockCache {
  readonly #bytesMax: number;
  /** By segment name and block; the one used last is the last. */
  readonly #blocks = new Map<string, Buffer>();
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Bytes that are kept. */
  get bytes(): number {
    return this.#bytes;
  }

  get(name: string, block: number): Buffer | null {
    const key = `${name}/${block}`;
    const bytes = this.#blocks.get(key);
    if (bytes === undefined) return null;
    this.#blocks.delete(key);
    this.#blocks.set(key, bytes);
    return bytes;
  }

  /** Keeps a block that is not kept yet. */
  keep(at: { readonly name: string; readonly block: number }, bytes: Buffer): void {
    this.#blocks.set(`${at.name}/${at.block}`, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, old] of this.#blocks) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#blocks.delete(oldest);
      this.#bytes -= old.length;
    }
  }
}
