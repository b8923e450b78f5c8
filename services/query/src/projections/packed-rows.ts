/**
 * Rows of states on their way to the thread that saves them, in memory that both threads see: passing them on as objects would hold up the event loop for a microsecond or more each.
 *
 * A row: projection (u16), tenant bytes (u16), key bytes (u16), zero (u16), generation (u32), state bytes (i32, -1 = none), then tenant, key and state in UTF-8. A row lies in one chunk.
 */
const HEADER_BYTES = 16;
const CHUNK_BYTES = 1024 * 1024;
/** UTF-8 of a UTF-16 unit. */
const BYTES_A_UNIT_MAX = 3;
const NO_STATE = -1;
const NO_BYTES = Buffer.from(new SharedArrayBuffer(0));

export interface Row {
  /** The projection's number. */
  readonly projection: number;
  readonly tenant: string;
  readonly generation: number;
  readonly key: string;
  readonly state: string | null;
}

/** A chunk of rows; the bytes behind `length` mean nothing. */
export interface RowChunk {
  readonly memory: SharedArrayBuffer;
  readonly length: number;
}

export class RowPacker {
  readonly #full: RowChunk[] = [];
  #chunk = NO_BYTES;
  #length = 0;

  add({ projection, tenant, generation, key, state }: Row): void {
    const units = tenant.length + key.length + (state?.length ?? 0);
    const bytesMax = HEADER_BYTES + units * BYTES_A_UNIT_MAX;
    if (this.#length + bytesMax > this.#chunk.length) this.#begin(bytesMax);
    const chunk = this.#chunk;
    const at = this.#length;
    let end = at + HEADER_BYTES;
    const tenantBytes = chunk.write(tenant, end);
    end += tenantBytes;
    const keyBytes = chunk.write(key, end);
    end += keyBytes;
    const stateBytes = state === null ? NO_STATE : chunk.write(state, end);
    if (state !== null) end += stateBytes;
    chunk.writeUInt16LE(projection, at);
    chunk.writeUInt16LE(tenantBytes, at + 2);
    chunk.writeUInt16LE(keyBytes, at + 4);
    chunk.writeUInt32LE(generation, at + 8);
    chunk.writeInt32LE(stateBytes, at + 12);
    this.#length = end;
  }

  /** All rows that were added, in their order. */
  chunks(): readonly RowChunk[] {
    this.#endChunk();
    return this.#full;
  }

  #begin(bytes: number): void {
    this.#endChunk();
    this.#chunk = Buffer.from(new SharedArrayBuffer(Math.max(CHUNK_BYTES, bytes)));
    this.#length = 0;
  }

  #endChunk(): void {
    if (this.#length === 0) return;
    this.#full.push({ memory: this.#chunk.buffer, length: this.#length });
    this.#chunk = NO_BYTES;
    this.#length = 0;
  }
}

/** The rows of chunks. */
export function* rowsOf(chunks: readonly RowChunk[]): Generator<Row> {
  for (const { memory, length } of chunks) {
    const chunk = Buffer.from(memory, 0, length);
    for (let at = 0; at < length; ) {
      const tenantAt = at + HEADER_BYTES;
      const keyAt = tenantAt + chunk.readUInt16LE(at + 2);
      const stateAt = keyAt + chunk.readUInt16LE(at + 4);
      const stateBytes = chunk.readInt32LE(at + 12);
      const end = stateAt + Math.max(stateBytes, 0);
      yield {
        projection: chunk.readUInt16LE(at),
        tenant: chunk.toString('utf8', tenantAt, keyAt),
        generation: chunk.readUInt32LE(at + 8),
        key: chunk.toString('utf8', keyAt, stateAt),
        state: stateBytes === NO_STATE ? null : chunk.toString('utf8', stateAt, end),
      };
      at = end;
    }
  }
}
