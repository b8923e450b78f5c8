/**
 * A chunk of a block: rows of some entities with all that is known of them. A read of an entity decompresses the chunks that have it, mostly one, and no column of the block
 * (docs/decisions/0035-chunks-know-their-rows.md). Integers are those of varints.ts unless a size is given.
 *
 *     offset  size  header, 32 bytes, little-endian
 *     0       4     bytes of the list of pieces
 *     4       4     bytes of the pieces
 *     8       4     bytes of the lengths of payloads
 *     12      4     bytes of the lengths of metadata; 0: no row has any
 *     16      4     number of rows
 *     20      4     bytes of each id: 3, the random bits of ids of our own make, or 16, whole ones
 *     24      8     what recorded_at is counted from, microseconds as a double
 *
 *     then    the list: for each piece, which is the rows of an entity that this chunk has
 *                 tenant number, partition, number of rows, bytes of the piece, bytes of the entity's id, the id in UTF-8
 *             the pieces: for each one column after the other
 *                 position     the first counted from the first position of the block, the others from the one before
 *                 type         number
 *                 version      signed, counted from the one before, the first from 0
 *                 recorded_at  signed, counted from the one before, the first from what the header says
 *                 timestamp    one byte: 0, all are as recorded_at; 1, signed differences to recorded_at; 2, doubles
 *             for each row, in the order of the pieces: the length of its payload
 *             the length of its metadata
 *             its id
 *             its text: payload, and metadata right behind it
 *
 * Pieces stand in the order of the numbers of their entities, and their rows in that of the log. An entity whose rows do not fit into a chunk goes on in the next.
 */
import { EVENT_ID_BYTES } from '@allsource/shared/model';
import { ByteWriter, INTEGER_BYTES_MAX } from './varints.ts';

export const CHUNK_HEADER_BYTES = 32;
export const PIECES_BYTES_AT = 4;
export const PAYLOAD_LENGTHS_BYTES_AT = 8;
export const METADATA_LENGTHS_BYTES_AT = 12;
export const ROW_COUNT_AT = 16;
export const ID_BYTES_AT = 20;
export const BASE_AT = 24;
export const RANDOM_BYTES = 3;
export const AS_RECORDED = 0;
export const DIFFERENCES = 1;
const DOUBLES = 2;
/** Differences below this are exact. */
const EXACT_BELOW = 2 ** 52;
/** What a row takes in a piece, and an entity in the list beside its name, at most. */
const ROW_BYTES_MAX = 6 * INTEGER_BYTES_MAX;
const ENTITY_BYTES_MAX = 6 * INTEGER_BYTES_MAX;

/** What rows of chunks are made of, by row of the block. */
export interface ChunkColumns {
  readonly positions: Uint32Array;
  readonly types: Uint32Array;
  readonly versions: Float64Array;
  readonly timestamps: Float64Array;
  readonly recordedAts: Float64Array;
  /** The random bits of the ids, or all of them whole. */
  readonly eventIds: Uint32Array | Uint8Array;
  readonly payloadBytes: Uint32Array;
  readonly metadataBytes: Uint32Array;
}

/** The entity of a piece. */
export interface PieceEntity {
  readonly tenant: number;
  readonly partition: number;
  /** Where its id lies in `names`. */
  readonly names: Uint8Array;
  readonly start: number;
  readonly end: number;
}

/** A chunk whose texts are still to be put into it. */
export interface EncodedChunk {
  readonly bytes: Buffer;
  readonly textsAt: number;
  readonly rowCount: number;
}

/** Puts chunks together, one after the other. */
export class ChunkEncoder {
  readonly #columns: ChunkColumns;
  readonly #base: number;
  readonly #list = new ByteWriter();
  readonly #pieces = new ByteWriter();
  readonly #payloadLengths = new ByteWriter();
  readonly #metadataLengths = new ByteWriter();
  readonly #ids = new ByteWriter();
  /** The last chunk; its memory is used again. */
  #chunk = Buffer.alloc(0);
  #rowCount = 0;
  #hasMetadata = false;

  constructor(columns: ChunkColumns) {
    this.#columns = columns;
    this.#base = columns.recordedAts[0] ?? 0;
  }

  /** Adds rows of an entity, ascending. */
  addPiece({ tenant, partition, names, start, end }: PieceEntity, rows: Uint32Array): void {
    const before = this.#pieces.length;
    this.#pieces.reserve(rows.length * ROW_BYTES_MAX);
    this.#addPlaces(rows);
    this.#addTimes(rows);
    this.#addLengths(rows);
    this.#addIds(rows);
    this.#rowCount += rows.length;
    const list = this.#list;
    list.reserve(ENTITY_BYTES_MAX + end - start);
    list.integer(tenant);
    list.integer(partition);
    list.integer(rows.length);
    list.integer(this.#pieces.length - before);
    list.integer(end - start);
    list.bytes(names, start, end);
  }

  #addPlaces(rows: Uint32Array): void {
    const { positions, types, versions } = this.#columns;
    const to = this.#pieces;
    let last = 0;
    for (let i = 0; i < rows.length; i++) {
      const position = positions[rows[i] as number] as number;
      to.integer(position - last);
      last = position;
    }
    for (let i = 0; i < rows.length; i++) to.integer(types[rows[i] as number] as number);
    last = 0;
    for (let i = 0; i < rows.length; i++) {
      const version = versions[rows[i] as number] as number;
      to.signed(version - last);
      last = version;
    }
  }

  #addTimes(rows: Uint32Array): void {
    const { timestamps, recordedAts } = this.#columns;
    const to = this.#pieces;
    let last = this.#base;
    let furthest = 0;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      const recordedAt = recordedAts[row] as number;
      to.signed(recordedAt - last);
      last = recordedAt;
      furthest = Math.max(furthest, Math.abs((timestamps[row] as number) - recordedAt));
    }
    const mode = furthest === 0 ? AS_RECORDED : furthest < EXACT_BELOW ? DIFFERENCES : DOUBLES;
    to.integer(mode);
    if (mode === AS_RECORDED) return;
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      const timestamp = timestamps[row] as number;
      if (mode === DOUBLES) to.double(timestamp);
      else to.signed(timestamp - (recordedAts[row] as number));
    }
  }

  #addLengths(rows: Uint32Array): void {
    const { payloadBytes, metadataBytes } = this.#columns;
    this.#payloadLengths.reserve(rows.length * INTEGER_BYTES_MAX);
    this.#metadataLengths.reserve(rows.length * INTEGER_BYTES_MAX);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      const ofMetadata = metadataBytes[row] as number;
      if (ofMetadata > 0) this.#hasMetadata = true;
      this.#payloadLengths.integer(payloadBytes[row] as number);
      this.#metadataLengths.integer(ofMetadata);
    }
  }

  #addIds(rows: Uint32Array): void {
    const { eventIds } = this.#columns;
    const to = this.#ids;
    to.reserve(rows.length * EVENT_ID_BYTES);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number;
      if (eventIds instanceof Uint32Array) to.int24(eventIds[row] as number);
      else to.bytes(eventIds, row * EVENT_ID_BYTES, (row + 1) * EVENT_ID_BYTES);
    }
  }

  /**
   * What was added since the last chunk, as the next one, with `textBytes` of room from `textsAt` on for the texts of its rows, which the caller puts there. It stays as it is until the chunk
   * after it.
   */
  end(textBytes: number): EncodedChunk {
    const rowCount = this.#rowCount;
    if (!this.#hasMetadata) this.#metadataLengths.clear();
    const parts = [
      this.#list,
      this.#pieces,
      this.#payloadLengths,
      this.#metadataLengths,
      this.#ids,
    ];
    const textsAt = parts.reduce((sum, { length }) => sum + length, CHUNK_HEADER_BYTES);
    if (this.#chunk.length < textsAt + textBytes)
      this.#chunk = Buffer.allocUnsafeSlow(2 * (textsAt + textBytes));
    const bytes = this.#chunk.subarray(0, textsAt + textBytes);
    bytes.writeUInt32LE(this.#list.length, 0);
    bytes.writeUInt32LE(this.#pieces.length, PIECES_BYTES_AT);
    bytes.writeUInt32LE(this.#payloadLengths.length, PAYLOAD_LENGTHS_BYTES_AT);
    bytes.writeUInt32LE(this.#metadataLengths.length, METADATA_LENGTHS_BYTES_AT);
    bytes.writeUInt32LE(rowCount, ROW_COUNT_AT);
    bytes.writeUInt32LE(this.#ids.length / rowCount, ID_BYTES_AT);
    bytes.writeDoubleLE(this.#base, BASE_AT);
    let at = CHUNK_HEADER_BYTES;
    for (const part of parts) {
      bytes.set(part.written, at);
      at += part.length;
      part.clear();
    }
    this.#rowCount = 0;
    this.#hasMetadata = false;
    return { bytes, textsAt, rowCount };
  }
}
