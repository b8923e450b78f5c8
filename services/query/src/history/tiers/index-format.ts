/**
 * The entity index file: which of some neighbouring blocks have an entity. All integers are little-endian. See docs/formats/block.md for the why.
 *
 *     offset  size  header, 64 bytes
 *     0       4     magic "ASE1"; the last byte is the format's version
 *     4       4     header bytes: this header and the table of blocks
 *     8       4     CRC-32 of bytes 12 .. header bytes
 *     12      4     level: 1 over blocks, n + 1 over indexes of level n
 *     16      8     log id
 *     24      8     first position covered
 *     32      8     last position covered
 *     40      4     number of blocks
 *     44      4     bucket bits
 *     48      4     number of entries
 *     52      4     zero
 *     56      8     bytes of the whole file
 *
 *     then for each block 16 bytes: its first and its last position
 *
 *     then the directory: for each bucket 8 bytes
 *     0       4     the entries up to the end of the bucket
 *     4       4     CRC-32 of the bucket's entries, begun with the number of the bucket
 *
 *     then the entries, 4 bytes each, ascending in their bucket. The bucket of an entry is the first bits of the entity's hash (see
 *     entity-hash.ts), as many as "bucket bits"; an entry is the other bits of the hash and, in its last "bucket bits" bits, the number of the
 *     block in the table.
 */
import { crc32 } from 'node:zlib';
import { assert } from '@allsource/shared/lang';
import { type Position, position } from '@allsource/shared/model';
import { LOG_ID_BYTES } from '@allsource/shared/protocol';

const MAGIC = 0x31455341; // "ASE1"
const HEADER_BYTES = 64;
const BLOCK_ENTRY_BYTES = 16;
const CHECKSUM_FROM = 12;
export const DIRECTORY_ENTRY_BYTES = 8;
export const INDEX_ENTRY_BYTES = 4;
const HASH_BITS = 32;
const BUCKET_BITS_MIN = 10;
const BUCKET_BITS_MAX = 20;
const ENTRIES_A_BUCKET = 256;

/** The positions that a block covers. */
export interface BlockRange {
  readonly firstPosition: Position;
  readonly lastPosition: Position;
}

export interface IndexHeader extends BlockRange {
  readonly level: number;
  readonly logId: Buffer;
  readonly blocks: readonly BlockRange[];
  readonly bucketBits: number;
  readonly entryCount: number;
  readonly fileBytes: number;
}

export type IndexExtent = Omit<IndexHeader, 'fileBytes' | keyof BlockRange>;

/** How many bits of a hash make the bucket, for about so many entries: a bucket is some hundred entries, one short read. */
export function bucketBitsFor(entryCount: number): number {
  const bits = Math.ceil(Math.log2(Math.max(1, entryCount / ENTRIES_A_BUCKET)));
  return Math.min(BUCKET_BITS_MAX, Math.max(BUCKET_BITS_MIN, bits));
}

export function headerBytes(blockCount: number): number {
  return HEADER_BYTES + blockCount * BLOCK_ENTRY_BYTES;
}

/** Where the directory and the entries begin. */
export function directoryOffset({ blocks }: Pick<IndexExtent, 'blocks'>): number {
  return headerBytes(blocks.length);
}

export function entriesOffset(extent: Pick<IndexExtent, 'blocks' | 'bucketBits'>): number {
  return directoryOffset(extent) + (1 << extent.bucketBits) * DIRECTORY_ENTRY_BYTES;
}

export function bucketOf(hash: number, bucketBits: number): number {
  return hash >>> (HASH_BITS - bucketBits);
}

/** The entry of an entity's hash in a block. */
export function indexEntry(hash: number, block: number, bucketBits: number): number {
  return ((hash << bucketBits) | block) >>> 0;
}

/** The hash of an entry, which needs the bucket it stands in. */
export function hashOf(entry: number, bucket: number, bucketBits: number): number {
  return ((bucket << (HASH_BITS - bucketBits)) | (entry >>> bucketBits)) >>> 0;
}

export function blockOf(entry: number, bucketBits: number): number {
  return entry & ((1 << bucketBits) - 1);
}

export function bucketChecksum(entries: Uint8Array, bucket: number): number {
  return crc32(entries, bucket);
}

/** Prints the header. */
export function encodeIndexHeader(extent: IndexExtent): Buffer {
  const { blocks } = extent;
  const bytes = Buffer.alloc(headerBytes(blocks.length));
  assert(blocks.length > 0, 'an index is over blocks');
  bytes.writeUInt32LE(MAGIC, 0);
  bytes.writeUInt32LE(bytes.length, 4);
  bytes.writeUInt32LE(extent.level, 12);
  bytes.set(extent.logId, 16);
  writeInteger(bytes, blocks[0]?.firstPosition ?? 0, 24);
  writeInteger(bytes, blocks.at(-1)?.lastPosition ?? 0, 32);
  bytes.writeUInt32LE(blocks.length, 40);
  bytes.writeUInt32LE(extent.bucketBits, 44);
  bytes.writeUInt32LE(extent.entryCount, 48);
  writeInteger(bytes, entriesOffset(extent) + extent.entryCount * INDEX_ENTRY_BYTES, 56);
  for (const [i, block] of blocks.entries()) {
    writeInteger(bytes, block.firstPosition, HEADER_BYTES + i * BLOCK_ENTRY_BYTES);
    writeInteger(bytes, block.lastPosition, HEADER_BYTES + i * BLOCK_ENTRY_BYTES + 8);
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(CHECKSUM_FROM)), 8);
  return bytes;
}

/** How many bytes the header takes, from its first bytes; 0 when they are none of an index. */
export function indexHeaderBytes(bytes: Buffer): number {
  if (bytes.length < HEADER_BYTES || bytes.readUInt32LE(0) !== MAGIC) return 0;
  return bytes.readUInt32LE(4);
}

/** Reads the header, or says in words why it is none. */
export function decodeIndexHeader(bytes: Buffer): IndexHeader | string {
  const length = indexHeaderBytes(bytes);
  if (length === 0) return 'it is not an entity index of this format';
  if (length > bytes.length || length < HEADER_BYTES) return 'it ends inside its header';
  if (crc32(bytes.subarray(CHECKSUM_FROM, length)) !== bytes.readUInt32LE(8))
    return 'the checksum of its header does not fit';
  const blocks = Array.from({ length: bytes.readUInt32LE(40) }, (_, i) => ({
    firstPosition: readPosition(bytes, HEADER_BYTES + i * BLOCK_ENTRY_BYTES),
    lastPosition: readPosition(bytes, HEADER_BYTES + i * BLOCK_ENTRY_BYTES + 8),
  }));
  return {
    level: bytes.readUInt32LE(12),
    logId: Buffer.from(bytes.subarray(16, 16 + LOG_ID_BYTES)),
    firstPosition: readPosition(bytes, 24),
    lastPosition: readPosition(bytes, 32),
    blocks,
    bucketBits: bytes.readUInt32LE(44),
    entryCount: bytes.readUInt32LE(48),
    fileBytes: Number(bytes.readBigUInt64LE(56)),
  };
}

function writeInteger(target: Buffer, value: number, offset: number): void {
  target.writeBigUInt64LE(BigInt(value), offset);
}

function readPosition(source: Buffer, offset: number): Position {
  return position(Number(source.readBigUInt64LE(offset)));
}
