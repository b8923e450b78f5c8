/**
 * The memory that open blocks share: decoded columns and chunks of text, both dropped in the order of last use when they pass their
 * bounds. What is dropped is read again when it is asked for.
 */

/** Something whose decoded parts can be dropped. */
export interface Evictable {
  evict(): void;
}

export interface BlockCacheLimits {
  readonly columnBytesMax: number;
  readonly textBytesMax: number;
}

export class BlockCache {
  readonly #limits: BlockCacheLimits;
  /** Bytes of decoded columns of each holder, the least recently used first. */
  readonly #columns = new Map<Evictable, number>();
  #columnBytes = 0;
  /** Decoded chunks by key, the least recently used first. */
  readonly #chunks = new Map<number, Buffer>();
  #textBytes = 0;
  #newestKey = -1;
  #newestChunk: Buffer = Buffer.alloc(0);
  #keysGiven = 0;

  constructor(limits: BlockCacheLimits) {
    this.#limits = limits;
  }

  /** Bytes held at the moment. */
  get bytes(): number {
    return this.#columnBytes + this.#textBytes;
  }

  /** Says that a holder was used and has decoded `bytesMore`. Others are evicted when it becomes too much; the holder itself stays. */
  touch(holder: Evictable, bytesMore: number): void {
    const bytes = (this.#columns.get(holder) ?? 0) + bytesMore;
    this.#columns.delete(holder);
    this.#columns.set(holder, bytes);
    this.#columnBytes += bytesMore;
    for (const other of this.#columns.keys()) {
      if (this.#columnBytes <= this.#limits.columnBytesMax || other === holder) return;
      this.forget(other);
    }
  }

  /** Drops the columns of a holder. */
  forget(holder: Evictable): void {
    this.#columnBytes -= this.#columns.get(holder) ?? 0;
    this.#columns.delete(holder);
    holder.evict();
  }

  /** Reserves `count` keys for chunks and returns the first of them. */
  chunkKeys(count: number): number {
    const first = this.#keysGiven;
    this.#keysGiven += count;
    return first;
  }

  /** The chunk under a key; `read` supplies it when it is not there. */
  chunk(key: number, read: () => Buffer): Buffer {
    // Readers go through a chunk row by row, so most calls ask for the chunk of the call before.
    if (key === this.#newestKey) return this.#newestChunk;
    const text = this.#chunks.get(key) ?? this.#added(read());
    this.#chunks.delete(key);
    this.#chunks.set(key, text);
    this.#newestKey = key;
    this.#newestChunk = text;
    this.#evictChunks();
    return text;
  }

  #added(text: Buffer): Buffer {
    this.#textBytes += text.length;
    return text;
  }

  #evictChunks(): void {
    for (const [key, text] of this.#chunks) {
      if (this.#textBytes <= this.#limits.textBytesMax || key === this.#newestKey) return;
      this.#chunks.delete(key);
      this.#textBytes -= text.length;
    }
  }
}
