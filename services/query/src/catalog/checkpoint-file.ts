/**
 * The file of a catalog checkpoint: a header and pieces. All integers are little-endian.
 *
 *     offset  size  header, 64 bytes
 *     0       4     magic "ASC1"; the last byte is the format's version
 *     4       4     CRC-32 of bytes 8 .. 64
 *     8       8     log id
 *     16      8     position: the counts of types and tenants are of exactly this one
 *     24      8     until: records of entities may be as new as this, see catalog-checkpoints.ts
 *     32      8     bytes of the whole file
 *     40      4     number of tenants
 *     44      20    zero
 *
 *     then pieces: 4 bytes length, 4 bytes CRC-32, and the bytes. For each tenant one of JSON (TenantPiece), its records in
 *     pages (see entity-records.ts), and its long names in parts.
 */
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { type Position, position } from '@allsource/shared/model';
import type { TypeEntry } from './type-tally.ts';

const MAGIC = 0x31435341; // "ASC1"
export const CHECKPOINT_HEADER_BYTES = 64;
const PIECE_HEADER_BYTES = 8;
const PIECE_BYTES_MAX = 64 * 1024 * 1024;
const CHECKSUM_FROM = 8;

export interface CheckpointHeader {
  readonly logId: string;
  readonly position: Position;
  readonly until: Position;
  readonly fileBytes: number;
  readonly tenantCount: number;
}

/** What stands before the records of a tenant. */
export interface TenantPiece {
  readonly tenant: string;
  readonly eventCount: number;
  readonly entityCount: number;
  readonly recordPieces: number;
  readonly longNamePieces: number;
  readonly types: readonly TypeEntry[];
}

export function encodeCheckpointHeader(header: CheckpointHeader): Buffer {
  const bytes = Buffer.alloc(CHECKPOINT_HEADER_BYTES);
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.write(header.logId, 8, 'hex');
  bytes.writeBigUInt64LE(BigInt(header.position), 16);
  bytes.writeBigUInt64LE(BigInt(header.until), 24);
  bytes.writeBigUInt64LE(BigInt(header.fileBytes), 32);
  bytes.writeUInt32LE(header.tenantCount, 40);
  bytes.writeUInt32LE(crc32(bytes.subarray(CHECKSUM_FROM)), 4);
  return bytes;
}

/** Reads a header, or says in words why it is none. */
export function decodeCheckpointHeader(bytes: Buffer): CheckpointHeader | string {
  if (bytes.length < CHECKPOINT_HEADER_BYTES) return 'it ends inside its header';
  if (bytes.readUInt32LE(0) !== MAGIC) return 'it is not a catalog checkpoint of this format';
  if (crc32(bytes.subarray(CHECKSUM_FROM)) !== bytes.readUInt32LE(4))
    return 'the checksum of its header does not fit';
  return {
    logId: bytes.toString('hex', 8, 16),
    position: position(Number(bytes.readBigUInt64LE(16))),
    until: position(Number(bytes.readBigUInt64LE(24))),
    fileBytes: Number(bytes.readBigUInt64LE(32)),
    tenantCount: bytes.readUInt32LE(40),
  };
}

/** A piece as it stands in the file. */
export function encodePiece(bytes: Buffer): Buffer {
  const header = Buffer.alloc(PIECE_HEADER_BYTES);
  header.writeUInt32LE(bytes.length, 0);
  header.writeUInt32LE(crc32(bytes), 4);
  return Buffer.concat([header, bytes]);
}

/** The file breaks its own format. */
export class CheckpointDamage extends Error {
  override readonly name = 'CheckpointDamage';
}

/** Reads the pieces of a file one after the other. Throws a {@link CheckpointDamage}. */
export class PieceReader {
  readonly #file: FileHandle;
  #offset = CHECKPOINT_HEADER_BYTES;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** The next piece, in memory that `roomFor` gives for its length: less than that means that no such piece belongs here. */
  async next(roomFor: (length: number) => Buffer = newRoom): Promise<Buffer> {
    const header = await this.#read(Buffer.allocUnsafe(PIECE_HEADER_BYTES));
    const length = header.readUInt32LE(0);
    if (length > PIECE_BYTES_MAX) throw new CheckpointDamage(`a piece of ${length} bytes`);
    const room = roomFor(length);
    if (room.length !== length)
      throw new CheckpointDamage(`a piece of ${length} bytes where ${room.length} are the most`);
    const bytes = await this.#read(room);
    if (crc32(bytes) !== header.readUInt32LE(4))
      throw new CheckpointDamage(
        `the checksum of the piece before byte ${this.#offset} does not fit`,
      );
    return bytes;
  }

  async #read(bytes: Buffer): Promise<Buffer> {
    const { bytesRead } = await this.#file.read(bytes, 0, bytes.length, this.#offset);
    if (bytesRead !== bytes.length)
      throw new CheckpointDamage(`it ends at byte ${this.#offset + bytesRead}`);
    this.#offset += bytes.length;
    return bytes;
  }
}

function newRoom(length: number): Buffer {
  return Buffer.allocUnsafeSlow(length);
}
