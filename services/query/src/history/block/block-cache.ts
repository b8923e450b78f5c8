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

/** What chunks hold: bytes, or what was read out of them. */
interface Content {
  readonly byteLength: number;
}

interface Chunk<T extends Content = Content> {
  readonly content: T;
  readonly shelf: { readonly chunks: (Chunk | undefined)[] };
  /** Its number on the shelf. */
  readonly number: number;
  isUsed: boolean;
}

/** The chunks of one block or index that are in memory, by number. Looking one up is what a scan does for each row, so it is no map. */
export class ChunkShelf<T extends Content> {
  readonly chunks: (Chunk<T> | undefined)[] = [];

  /** The content of a chunk, which is used with that; null when it is not there. */
  find(number: number): T | null {
    const chunk = this.chunks[number];
    if (chunk === undefined) return null;
    chunk.isUsed = true;
    return chunk.content;
  }
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
  /** Chunks in the order in which they will be looked at for dropping, from `#next` on. */
  #chunks: (Chunk | null)[] = [];
  #next = 0;
  #chunkBytes = 0;

  constructor(limits: BlockCacheLimits) {
    this.#limits = limits;
  }

  /** Bytes held at the moment. */
  get bytes(): number {
    return this.#columnBytes + this.#chunkBytes;
  }

  /** True when so many bytes of columns can be decoded without dropping others. */
  hasRoomFor(bytes: number): boolean {
    return this.#columnBytes + bytes <= this.#limits.columnBytesMax;
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

  /** Keeps a chunk that is not on its shelf, and returns its content. */
  add<T extends Content>(shelf: ChunkShelf<T>, number: number, content: T): T {
    this.#dropChunksFor(content);
    const chunk = { content, shelf, number, isUsed: false };
    shelf.chunks[number] = chunk;
    this.#chunks.push(chunk);
    this.#chunkBytes += costOf(content);
    return content;
  }

  /** Makes room for a chunk. */
  #dropChunksFor(content: Content): void {
    const room = this.#limits.chunkBytesMax - costOf(content);
    while (this.#chunkBytes > room && this.#next < this.#chunks.length) {
      const chunk = this.#chunks[this.#next] as Chunk;
      // What is behind is not held until the list is cut.
      this.#chunks[this.#next] = null;
      this.#next += 1;
      if (chunk.isUsed) {
        chunk.isUsed = false;
        this.#chunks.push(chunk);
      } else {
        chunk.shelf.chunks[chunk.number] = undefined;
        this.#chunkBytes -= costOf(chunk.content);
      }
      if (this.#next * 2 < this.#chunks.length) continue;
      this.#chunks = this.#chunks.slice(this.#next);
      this.#next = 0;
    }
  }
}

function costOf({ byteLength }: Content): number {
  return byteLength + CHUNK_OVERHEAD_BYTES;
}
