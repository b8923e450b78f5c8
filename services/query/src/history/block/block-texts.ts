import type { RowText } from '../row-text.ts';
import { CHUNK_ENTRY_INTEGERS } from './block-format.ts';
import { textBytesOf } from './text-chunks.ts';

/** Where the texts of rows lie. */
export interface TextPlaces {
  /** Row to its chunk. */
  readonly chunks: Uint32Array;
  /** Row to where its text begins in its chunk. */
  readonly starts: Uint32Array;
}

interface TextColumns {
  readonly payloadBytes: Uint32Array;
  readonly metadataBytes: Uint32Array;
}

/** Says where the texts of a block's rows lie, with the columns for that looked up once. */
export class BlockTexts {
  readonly #columns: TextPlaces & TextColumns;
  readonly #chunk: (chunk: number) => Buffer;

  /** `chunk` gives the text of a chunk. */
  constructor(columns: TextPlaces & TextColumns, chunk: (chunk: number) => Buffer) {
    this.#columns = columns;
    this.#chunk = chunk;
  }

  place(row: number, text: RowText): void {
    const { chunks, starts, payloadBytes, metadataBytes } = this.#columns;
    text.bytes = this.#chunk(chunks[row] as number);
    text.start = starts[row] as number;
    text.payloadBytes = payloadBytes[row] as number;
    text.metadataBytes = metadataBytes[row] as number;
  }
}

/** Where the texts of rows lie that were cut into chunks in this order (text-chunks.ts). */
export function textPlaces({
  table,
  rows,
  ...lengths
}: TextColumns & {
  /** CHUNK_ENTRY_INTEGERS a chunk; see block-format.ts. */
  readonly table: Uint32Array;
  readonly rows: Uint32Array;
}): TextPlaces {
  const chunks = new Uint32Array(rows.length);
  const starts = new Uint32Array(rows.length);
  let chunk = 0;
  let start = 0;
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    if (start >= (table[chunk * CHUNK_ENTRY_INTEGERS + 1] as number)) {
      chunk += 1;
      start = 0;
    }
    chunks[row] = chunk;
    starts[row] = start;
    start += textBytesOf(lengths, row);
  }
  return { chunks, starts };
}

/** Where the chunks of a table lie whose first begins at `firstOffset` of the file. */
export function chunkOffsets(table: Uint32Array, firstOffset: number): Float64Array {
  const offsets = new Float64Array(table.length / CHUNK_ENTRY_INTEGERS);
  let offset = firstOffset;
  for (let chunk = 0; chunk < offsets.length; chunk++) {
    offsets[chunk] = offset;
    offset += table[chunk * CHUNK_ENTRY_INTEGERS] as number;
  }
  return offsets;
}
