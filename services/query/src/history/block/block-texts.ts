import type { RowText } from '../row-text.ts';
import { CHUNK_ENTRY_INTEGERS } from './block-format.ts';

/** Where the chunks of a block lie. */
export interface ChunkPlaces {
  /** CHUNK_ENTRY_INTEGERS a chunk; see block-format.ts. */
  readonly table: Uint32Array;
  /** Where a chunk begins in the file, and where its text begins in the text of the block. */
  readonly fileOffsets: Float64Array;
  readonly textStarts: Float64Array;
}

export interface TextColumns {
  readonly places: ChunkPlaces;
  readonly textOffsets: Uint32Array;
  readonly payloadBytes: Uint32Array;
  readonly metadataBytes: Uint32Array;
}

/** Says where the texts of a block's rows lie, with the columns for that looked up once. */
export class BlockTexts {
  readonly places: ChunkPlaces;
  readonly #columns: TextColumns;
  readonly #chunk: (chunk: number) => Buffer;
  /** The chunk of the row that was last placed: the next one is often in the same. */
  #lastChunk = 0;

  /** `chunk` gives the text of a chunk. */
  constructor(columns: TextColumns, chunk: (chunk: number) => Buffer) {
    this.places = columns.places;
    this.#columns = columns;
    this.#chunk = chunk;
  }

  place(row: number, text: RowText): void {
    const { textOffsets, payloadBytes, metadataBytes } = this.#columns;
    const { textStarts } = this.places;
    const chunk = this.#chunkOf(row);
    text.bytes = this.#chunk(chunk);
    text.start = (textOffsets[row] as number) - (textStarts[chunk] as number);
    text.payloadBytes = payloadBytes[row] as number;
    text.metadataBytes = metadataBytes[row] as number;
  }

  #chunkOf(row: number): number {
    const { table } = this.places;
    const entry = this.#lastChunk * CHUNK_ENTRY_INTEGERS;
    // Behind the last chunk there is no entry, and no row.
    const end = table[entry + CHUNK_ENTRY_INTEGERS] ?? Number.POSITIVE_INFINITY;
    if (row < (table[entry] as number) || row >= end) this.#lastChunk = chunkOfRow(table, row);
    return this.#lastChunk;
  }
}

/** Where the chunks of a table lie whose first begins at `firstOffset` of the file. */
export function chunkPlaces(table: Uint32Array, firstOffset: number): ChunkPlaces {
  const count = table.length / CHUNK_ENTRY_INTEGERS;
  const fileOffsets = new Float64Array(count);
  const textStarts = new Float64Array(count);
  let offset = firstOffset;
  let text = 0;
  for (let chunk = 0; chunk < count; chunk++) {
    fileOffsets[chunk] = offset;
    textStarts[chunk] = text;
    offset += table[chunk * CHUNK_ENTRY_INTEGERS + 1] as number;
    text += table[chunk * CHUNK_ENTRY_INTEGERS + 2] as number;
  }
  return { table, fileOffsets, textStarts };
}

/** The last chunk that begins at or before a row. */
function chunkOfRow(chunks: Uint32Array, row: number): number {
  let low = 0;
  let high = chunks.length / CHUNK_ENTRY_INTEGERS;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((chunks[middle * CHUNK_ENTRY_INTEGERS] as number) <= row) low = middle;
    else high = middle;
  }
  return low;
}
