import type { ChunkTable } from './chunk-table.ts';

/** Where the rows of a block lie in its chunks. */
export class RowPlaces {
  /** Row to its chunk. */
  readonly chunks: Uint32Array;
  /** Row to its number in its chunk. */
  readonly rows: Uint32Array;

  /** `byEntity`: the rows of the block in the order in which the chunks have them. */
  constructor(table: ChunkTable, byEntity: Uint32Array) {
    this.chunks = new Uint32Array(byEntity.length);
    this.rows = new Uint32Array(byEntity.length);
    let at = 0;
    for (let chunk = 0; chunk < table.count; chunk++) {
      const count = table.rowCount(chunk);
      for (let i = 0; i < count; i++) {
        const row = byEntity[at++] as number;
        this.chunks[row] = chunk;
        this.rows[row] = i;
      }
    }
  }

  get byteLength(): number {
    return this.chunks.byteLength + this.rows.byteLength;
  }
}
