/**
 * The memory that open blocks and entity indexes share: decoded columns, and chunks of text and of indexes, both dropped when they pass their
 * bounds: columns in the order of last use, chunks in the order in which they came, those that were used meanwhile after all others (CLOCK, Corbato 1968: a use is one mark, and a
 * page uses tens of chunks). What is dropped is read again when it is asked for.
 */

/** What a chunk costs beside its bytes: those of an index may be as short as one entry. */
const CHUNK_OVERHEAD_BYTES = 512;

/** Something whose decoded parts can be dropped. */
export interface Evictable {
  evict(): void;
}

interface Chunk {
  readonly bytes: Buffer;
  isUsed: boolean;
}

export interface BlockCacheLimits {
  readonly columnBytesMax: number;
  readonly chunkBytesMax: number;
}

export class BlockCache {
  readonly #limits: BlockCacheLimits;
  /** Bytes of decoded columns of each holder, the least recently used first. */
  readonly #columns = new Map<Evictable, number>();
  #columnBytes = 0;
  /** Chunks by key, in the order in which they will be looked at for dropping. */
  readonly #chunks = new Map<number, Chunk>();
  #chunkBytes = 0;
  #newestKey = -1;
  #newestChunk: Buffer = Buffer.alloc(0);
  #keysGiven = 0;

  constructor(limits: BlockCacheLimits) {
    this.#limits = limits;
  }

  /** Bytes held at the moment. */
  get bytes(): number {
    return this.#columnBytes + this.#chunkBytes;
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
    const known = this.#chunks.get(key);
    if (known !== undefined) known.isUsed = true;
    const bytes = known?.bytes ?? this.#add(key, read());
    this.#newestKey = key;
    this.#newestChunk = bytes;
    return bytes;
  }

  #add(key: number, bytes: Buffer): Buffer {
    this.#dropChunksFor(bytes);
    this.#chunks.set(key, { bytes, isUsed: false });
    this.#chunkBytes += costOf(bytes);
    return bytes;
  }

  /** Makes room for a chunk. */
  #dropChunksFor(bytes: Buffer): void {
    const room = this.#limits.chunkBytesMax - costOf(bytes);
    for (const [key, chunk] of this.#chunks) {
      if (this.#chunkBytes <= room) return;
      this.#chunks.delete(key);
      if (chunk.isUsed) this.#chunks.set(key, { bytes: chunk.bytes, isUsed: false });
      else this.#chunkBytes -= costOf(chunk.bytes);
    }
  }
}

function costOf(bytes: Buffer): number {
  return bytes.length + CHUNK_OVERHEAD_BYTES;
}
