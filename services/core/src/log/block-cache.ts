/**
 * Decompressed blocks of sealed segments, the ones used last, in a fixed stretch of memory. An entity's events often lie near each other, so the walk along its
 * chain meets the same block again and again and decompresses it once. Blocks are copied in, so that what the decompression leaves is short-lived
 * and the memory of the cache is never garbage.
 */
import { BLOCK_BYTES } from './sealed-format.ts';

export class BlockCache {
  /** Called with the bytes of buffers that are garbage a moment later, for whoever sees to their collection. */
  readonly onShortLived: (bytes: number) => void;
  readonly #blocksMax: number;
  /** The place of each block by segment name and number; the one used last is the last. */
  readonly #places = new Map<string, number>();
  readonly #views: Buffer[] = [];
  #memory: Buffer | null = null;

  /** A cache of this many bytes, rounded down to whole blocks; 0 keeps nothing. The memory is taken with the first block. */
  constructor(bytesMax: number, onShortLived: (bytes: number) => void = () => undefined) {
    this.onShortLived = onShortLived;
    this.#blocksMax = Math.floor(bytesMax / BLOCK_BYTES);
  }

  /** A kept block, to be used at once: its memory is another block's some blocks later. */
  get(name: string, block: number): Buffer | null {
    const key = `${name}/${block}`;
    const place = this.#places.get(key);
    if (place === undefined) return null;
    this.#places.delete(key);
    this.#places.set(key, place);
    return this.#views[place] ?? null;
  }

  /** Keeps a block that is not kept yet, in the place of the one not used for longest. Returns it as `get` does. */
  keep(at: { readonly name: string; readonly block: number }, bytes: Buffer): Buffer {
    if (this.#blocksMax === 0) return bytes;
    this.#memory ??= Buffer.alloc(this.#blocksMax * BLOCK_BYTES);
    const place = this.#freePlace();
    const view = this.#memory.subarray(place * BLOCK_BYTES, place * BLOCK_BYTES + bytes.length);
    bytes.copy(view);
    this.#views[place] = view;
    this.#places.set(`${at.name}/${at.block}`, place);
    return view;
  }

  #freePlace(): number {
    if (this.#places.size < this.#blocksMax) return this.#places.size;
    for (const [oldest, place] of this.#places) {
      this.#places.delete(oldest);
      return place;
    }
    return 0;
  }
}
