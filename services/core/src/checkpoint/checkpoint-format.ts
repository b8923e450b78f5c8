/**
 * The bytes of a checkpoint file. All integers are little-endian.
 *
 *     header, 64 bytes
 *     0    4   magic "ASC1"; the last byte is the format's version
 *     4    4   CRC-32 of bytes 8 .. 64
 *     8    8   log id
 *     16   8   position that the state is true at: the last one of a frame
 *     24   4   checksum of that frame
 *     28   4   zero
 *     32   8   when that frame was recorded, microseconds
 *     40   8   created at, microseconds
 *     48   16  zero
 *
 *     64       parts, end to end; the parts of one section follow each other
 *     0    16  name of the section, ASCII, padded with zeros
 *     16   4   bytes of the part
 *     20   4   CRC-32 of bytes 0 .. 20 and of the part
 *     24       the part, in the form that the section's name stands for
 *
 *     trailer, the last 64 bytes
 *     0    4   magic "ASE1"
 *     4    4   CRC-32 of bytes 8 .. 64
 *     8    8   position of the last event that the state may know of
 *     16   4   checksum of its frame
 *     20   4   CRC-32 over the header and all part headers
 *     24   8   bytes of the whole file
 *     32   32  zero
 *
 * Each byte is covered: a part by its header, the headers by the trailer, and a file that was cut short has no trailer at its end.
 */
import { crc32 } from 'node:zlib';
import { assert } from '@allsource/shared/lang';
import { type Micros, micros, type Position, position } from '@allsource/shared/model';
import { LOG_ID_BYTES } from '@allsource/shared/protocol';

export const CHECKPOINT_HEADER_BYTES = 64;
export const CHECKPOINT_TRAILER_BYTES = 64;
export const PART_HEADER_BYTES = 24;
export const SECTION_NAME_BYTES = 16;
const HEADER_MAGIC = 0x31435341; // "ASC1"
const TRAILER_MAGIC = 0x31455341; // "ASE1"
const CHECKSUM_FROM = 8;
const PART_CHECKSUM_AT = 20;

export interface CheckpointHeader {
  readonly logId: Buffer;
  readonly position: Position;
  readonly checksum: number;
  readonly recordedAt: Micros;
  readonly createdAt: Micros;
}

export interface CheckpointTrailer {
  readonly throughPosition: Position;
  readonly throughChecksum: number;
  readonly headersChecksum: number;
  readonly fileBytes: number;
}

export interface PartHeader {
  readonly section: string;
  readonly bytes: number;
}

/** Encodes a header. */
export function encodeCheckpointHeader(header: CheckpointHeader): Buffer {
  assert(header.logId.length === LOG_ID_BYTES, 'a log id of eight bytes');
  const bytes = Buffer.alloc(CHECKPOINT_HEADER_BYTES);
  bytes.writeUInt32LE(HEADER_MAGIC, 0);
  bytes.set(header.logId, 8);
  bytes.writeBigUInt64LE(BigInt(header.position), 16);
  bytes.writeUInt32LE(header.checksum, 24);
  bytes.writeBigInt64LE(BigInt(header.recordedAt), 32);
  bytes.writeBigInt64LE(BigInt(header.createdAt), 40);
  return sealed(bytes);
}

/** Reads a header; null for bytes that are none of this format. */
export function decodeCheckpointHeader(bytes: Buffer): CheckpointHeader | null {
  if (!isSealed(bytes, { magic: HEADER_MAGIC, length: CHECKPOINT_HEADER_BYTES })) return null;
  return {
    logId: Buffer.from(bytes.subarray(8, 8 + LOG_ID_BYTES)),
    position: position(Number(bytes.readBigUInt64LE(16))),
    checksum: bytes.readUInt32LE(24),
    recordedAt: micros(Number(bytes.readBigInt64LE(32))),
    createdAt: micros(Number(bytes.readBigInt64LE(40))),
  };
}

/** Encodes a trailer. */
export function encodeCheckpointTrailer(trailer: CheckpointTrailer): Buffer {
  const bytes = Buffer.alloc(CHECKPOINT_TRAILER_BYTES);
  bytes.writeUInt32LE(TRAILER_MAGIC, 0);
  bytes.writeBigUInt64LE(BigInt(trailer.throughPosition), 8);
  bytes.writeUInt32LE(trailer.throughChecksum, 16);
  bytes.writeUInt32LE(trailer.headersChecksum, 20);
  bytes.writeBigUInt64LE(BigInt(trailer.fileBytes), 24);
  return sealed(bytes);
}

/** Reads a trailer; null for bytes that are none of this format. */
export function decodeCheckpointTrailer(bytes: Buffer): CheckpointTrailer | null {
  if (!isSealed(bytes, { magic: TRAILER_MAGIC, length: CHECKPOINT_TRAILER_BYTES })) return null;
  return {
    throughPosition: position(Number(bytes.readBigUInt64LE(8))),
    throughChecksum: bytes.readUInt32LE(16),
    headersChecksum: bytes.readUInt32LE(20),
    fileBytes: Number(bytes.readBigUInt64LE(24)),
  };
}

/** Encodes the header of a part. */
export function encodePartHeader(section: string, part: Buffer): Buffer {
  assert(/^[!-~]{1,16}$/.test(section), 'a section name of 1 to 16 ASCII characters');
  const bytes = Buffer.alloc(PART_HEADER_BYTES);
  bytes.write(section, 0, 'latin1');
  bytes.writeUInt32LE(part.length, SECTION_NAME_BYTES);
  bytes.writeUInt32LE(partChecksum(bytes, part), PART_CHECKSUM_AT);
  return bytes;
}

/** Reads the header of a part. Nothing says yet that it is good. */
export function decodePartHeader(bytes: Buffer): PartHeader {
  const name = bytes.subarray(0, SECTION_NAME_BYTES);
  const end = name.indexOf(0);
  return {
    section: name.toString('latin1', 0, end === -1 ? SECTION_NAME_BYTES : end),
    bytes: bytes.readUInt32LE(SECTION_NAME_BYTES),
  };
}

/** True when a part and its header are as they were written. */
export function isWholePart(header: Buffer, part: Buffer): boolean {
  return header.readUInt32LE(PART_CHECKSUM_AT) === partChecksum(header, part);
}

function partChecksum(header: Buffer, part: Buffer): number {
  return crc32(part, crc32(header.subarray(0, PART_CHECKSUM_AT)));
}

function sealed(bytes: Buffer): Buffer {
  bytes.writeUInt32LE(crc32(bytes.subarray(CHECKSUM_FROM)), 4);
  return bytes;
}

function isSealed(
  bytes: Buffer,
  { magic, length }: { readonly magic: number; readonly length: number },
): boolean {
  return (
    bytes.length === length &&
    bytes.readUInt32LE(0) === magic &&
    bytes.readUInt32LE(4) === crc32(bytes.subarray(CHECKSUM_FROM))
  );
}
