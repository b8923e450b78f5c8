import { EVENT_ID_BYTES } from '@allsource/shared/model';
import type { SoughtEntity } from '../entity-hash.ts';
import type { RowText } from '../row-text.ts';
import {
  AS_RECORDED,
  BASE_AT,
  CHUNK_HEADER_BYTES,
  DIFFERENCES,
  ID_BYTES_AT,
  METADATA_LENGTHS_BYTES_AT,
  PAYLOAD_LENGTHS_BYTES_AT,
  PIECES_BYTES_AT,
  RANDOM_BYTES,
  ROW_COUNT_AT,
} from './chunk-format.ts';
import { NO_RANDOM } from './event-ids.ts';
import { ByteReader } from './varints.ts';

/** Columns that the rows of pieces are read into. */
export interface PieceColumns {
  readonly positions: Uint32Array;
  readonly types: Uint32Array;
  readonly versions: Float64Array;
  readonly timestamps: Float64Array;
  readonly recordedAts: Float64Array;
}

/** The rows of an entity in a chunk. */
export interface Piece {
  readonly content: ChunkContent;
  readonly partition: number;
  /** Which row of the chunk its first one is. */
  readonly firstRow: number;
  readonly rowCount: number;
  /** Where its columns begin in the chunk. */
  readonly start: number;
}

/** A chunk, decompressed: chunk-format.ts draws it. Its bytes have passed their checksum, so nothing is checked here. */
export class ChunkContent {
  readonly bytes: Buffer;
  readonly #piecesAt: number;
  readonly #idsAt: number;
  readonly #idBytes: number;
  /** For each row of the chunk. */
  readonly #textStarts: Uint32Array;
  readonly #payloadLengths: Uint32Array;
  readonly #metadataLengths: Uint32Array;

  constructor(bytes: Buffer) {
    const rows = bytes.readUInt32LE(ROW_COUNT_AT);
    const payloadLengthsBytes = bytes.readUInt32LE(PAYLOAD_LENGTHS_BYTES_AT);
    const metadataLengthsBytes = bytes.readUInt32LE(METADATA_LENGTHS_BYTES_AT);
    this.bytes = bytes;
    this.#idBytes = bytes.readUInt32LE(ID_BYTES_AT);
    this.#piecesAt = CHUNK_HEADER_BYTES + bytes.readUInt32LE(0);
    const payloadLengthsAt = this.#piecesAt + bytes.readUInt32LE(PIECES_BYTES_AT);
    const metadataLengthsAt = payloadLengthsAt + payloadLengthsBytes;
    this.#idsAt = metadataLengthsAt + metadataLengthsBytes;
    this.#textStarts = new Uint32Array(rows);
    this.#payloadLengths = new Uint32Array(rows);
    this.#metadataLengths = new Uint32Array(rows);
    const payloadLengths = new ByteReader(bytes, payloadLengthsAt);
    const metadataLengths =
      metadataLengthsBytes === 0 ? null : new ByteReader(bytes, metadataLengthsAt);
    let textStart = this.#idsAt + rows * this.#idBytes;
    for (let row = 0; row < rows; row++) {
      const ofPayload = payloadLengths.integer();
      const ofMetadata = metadataLengths === null ? 0 : metadataLengths.integer();
      this.#textStarts[row] = textStart;
      this.#payloadLengths[row] = ofPayload;
      this.#metadataLengths[row] = ofMetadata;
      textStart += ofPayload + ofMetadata;
    }
  }

  /** What it takes in memory. */
  get byteLength(): number {
    return this.bytes.length + 3 * this.#textStarts.byteLength;
  }

  /** Says where the text of a row of the chunk lies. */
  place(row: number, text: RowText): void {
    text.bytes = this.bytes;
    text.start = this.#textStarts[row] as number;
    text.payloadBytes = this.#payloadLengths[row] as number;
    text.metadataBytes = this.#metadataLengths[row] as number;
  }

  /** The random bits of the id of a row of the chunk; NO_RANDOM when ids are kept whole. */
  idRandom(row: number): number {
    if (this.#idBytes !== RANDOM_BYTES) return NO_RANDOM;
    const { bytes } = this;
    const at = this.#idsAt + row * RANDOM_BYTES;
    return (
      (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16)
    );
  }

  /** Writes the id of a row of the chunk, which is kept whole, to the start of `target`. */
  copyId(row: number, target: Buffer): void {
    const at = this.#idsAt + row * EVENT_ID_BYTES;
    this.bytes.copy(target, 0, at, at + EVENT_ID_BYTES);
  }

  /** Finds the rows of an entity; null when the chunk has none. */
  findPiece(tenant: number, entity: SoughtEntity): Piece | null {
    const { bytes } = this;
    const reader = new ByteReader(bytes, CHUNK_HEADER_BYTES);
    let firstRow = 0;
    let start = this.#piecesAt;
    while (reader.at < this.#piecesAt) {
      const ofTenant = reader.integer();
      const partition = reader.integer();
      const rowCount = reader.integer();
      const pieceBytes = reader.integer();
      const nameBytes = reader.integer();
      const name = reader.at;
      if (ofTenant === tenant && isNamed(bytes, name, nameBytes, entity.bytes))
        return { content: this, partition, firstRow, rowCount, start };
      reader.at = name + nameBytes;
      firstRow += rowCount;
      start += pieceBytes;
    }
    return null;
  }

  /** Reads the columns of a piece of this chunk, into `columns` from row `first` on. */
  readPiece({ start, rowCount }: Piece, columns: PieceColumns, first: number): void {
    const { positions, types, versions, recordedAts, timestamps } = columns;
    const end = first + rowCount;
    const reader = new ByteReader(this.bytes, start);
    let last = 0;
    for (let row = first; row < end; row++) positions[row] = last += reader.integer();
    for (let row = first; row < end; row++) types[row] = reader.integer();
    last = 0;
    for (let row = first; row < end; row++) versions[row] = last += reader.signed();
    last = this.bytes.readDoubleLE(BASE_AT);
    for (let row = first; row < end; row++) recordedAts[row] = last += reader.signed();
    const mode = reader.integer();
    for (let row = first; row < end; row++) {
      const recordedAt = recordedAts[row] as number;
      timestamps[row] =
        mode === AS_RECORDED
          ? recordedAt
          : mode === DIFFERENCES
            ? recordedAt + reader.signed()
            : reader.double();
    }
  }
}

// oxlint-disable-next-line eslint/max-params -- a hot loop.
function isNamed(chunk: Buffer, start: number, length: number, name: Buffer): boolean {
  if (length !== name.length) return false;
  for (let i = 0; i < length; i++) if (chunk[start + i] !== name[i]) return false;
  return true;
}
