import type { ChunkPlace } from './block-reader.ts';

/** Integers for each chunk in the section `chunks`; block-format.ts says what they are. */
export const CHUNK_INTEGERS = 6;
const STORED_BYTES = 0;
const DECODED_BYTES = 1;
const CHECKSUM = 2;
const ROW_COUNT = 3;
const FIRST_HASH = 4;
const LAST_HASH = 5;

/** Chunks of a block, from `first` to before `end`. */
export interface ChunkRange {
  readonly first: number;
  readonly end: number;
}

/** Where the chunks of a block lie, and which entities they have. */
export class ChunkTable {
  readonly count: number;
  readonly #entries: Uint32Array;
  readonly #offsets: Float64Array;

  /** `firstOffset`: where the first chunk lies in the file. */
  constructor(entries: Uint32Array, firstOffset: number) {
    this.#entries = entries;
    this.count = entries.length / CHUNK_INTEGERS;
    this.#offsets = new Float64Array(this.count);
    let offset = firstOffset;
    for (let chunk = 0; chunk < this.count; chunk++) {
      this.#offsets[chunk] = offset;
      offset += this.#integer(chunk, STORED_BYTES);
    }
  }

  /** What the table takes in memory beside its section. */
  get ownBytes(): number {
    return this.#offsets.byteLength;
  }

  place(chunk: number): ChunkPlace {
    return {
      offset: this.#offsets[chunk] as number,
      storedBytes: this.#integer(chunk, STORED_BYTES),
      decodedBytes: this.#integer(chunk, DECODED_BYTES),
      checksum: this.#integer(chunk, CHECKSUM),
    };
  }

  rowCount(chunk: number): number {
    return this.#integer(chunk, ROW_COUNT);
  }

  /** The chunks that may have an entity of this hash. */
  chunksOf(hash: number): ChunkRange {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#integer(middle, LAST_HASH) < hash) low = middle + 1;
      else high = middle;
    }
    let end = low;
    while (end < this.count && this.#integer(end, FIRST_HASH) <= hash) end++;
    return { first: low, end };
  }

  #integer(chunk: number, which: number): number {
    return this.#entries[chunk * CHUNK_INTEGERS + which] as number;
  }
}
