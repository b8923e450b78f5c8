/**
 * The sealed segment: a segment that is full, compressed. It stands for the raw segment file of the same name with `.seg` for `.sealed`, byte for byte:
 * whoever reads it speaks of offsets in the raw file and gets the same bytes. All integers are little-endian.
 *
 *     offset  size  header, 192 bytes
 *     0       4     magic "ASZ1"; the last byte is the format's version
 *     4       4     CRC-32 of bytes 8 .. 192
 *     8       8     log id                             \
 *     16      4     number of partitions                |
 *     20      4     checksum of the frame before        |  as in the header of the raw segment
 *     24      8     position of the first event         |
 *     32      8     created at, microseconds           /
 *     40      8     position of the last event
 *     48      4     checksum of the last frame
 *     52      4     block bytes: 16384, of the raw segment, in each block but the last
 *     56      8     frames' end: the offset in the raw segment behind the last frame
 *     64      4     number of blocks
 *     68      4     number of marks
 *     72      8     offset of the index in this file
 *     80      4     CRC-32 of the index
 *     84      4     zero
 *     88      8     bytes of this file
 *     96      32    digest of the segment before, zero for the first
 *     128     32    digest: SHA-256 of the digest of the segment before and this segment's frames, end to end
 *     160     32    zero
 *
 *     192           blocks, end to end: block n holds the raw bytes from 4096 + n * 16384 on, as one zstd frame, or as they are where zstd saves nothing
 *
 *                   index: for each block 8 bytes
 *     0       4     bytes of the block in this file; the block's raw length means that it is not compressed
 *     4       4     CRC-32 of these bytes
 *                   then for each mark 12 bytes: a frame at least 16 KiB behind the one of the mark before
 *     0       4     position of the frame, relative to the segment's first
 *     4       4     its offset in the raw segment
 *     8       4     checksum of the frame before it
 *     end           end of the file
 *
 * Blocks are cut without regard to frames, so that one event of a large frame costs one or two small blocks. Every byte is under a checksum, and the file's
 * length is in the header.
 */
import { crc32 } from 'node:zlib';
import { assert } from '@allsource/shared/lang';
import { micros, type Position, position } from '@allsource/shared/model';
import { LOG_ID_BYTES } from '@allsource/shared/protocol';
import { parseSegmentName, SEGMENT_HEADER_BYTES, SEGMENT_SUFFIX, segmentName } from './segment.ts';
import type { SegmentHeader } from './segment.ts';

export const SEALED_SUFFIX = '.sealed';
export const SEALED_HEADER_BYTES = 192;
/** A larger block saves more and takes longer for one event: 64 KiB save 2 % more of the real logs and take three times as long. */
export const BLOCK_BYTES = 16 * 1024;
export const BLOCK_ENTRY_BYTES = 8;
export const MARK_BYTES = 12;
export const DIGEST_BYTES = 32;
/** The digest before the first segment. */
export const NO_DIGEST = Buffer.alloc(DIGEST_BYTES);
const SEALED_MAGIC = 0x315a5341; // "ASZ1"
const CHECKSUM_FROM = 8;

/** What a sealed segment says of itself. */
export interface SealedHeader {
  /** The header of the raw segment. */
  readonly segment: SegmentHeader;
  readonly lastPosition: Position;
  readonly lastChecksum: number;
  /** The offset in the raw segment behind the last frame. */
  readonly framesEnd: number;
  readonly blockCount: number;
  readonly markCount: number;
  readonly indexOffset: number;
  readonly indexChecksum: number;
  readonly fileBytes: number;
  readonly previousDigest: Buffer;
  readonly digest: Buffer;
}

export type SealedHeaderDecode =
  | { readonly kind: 'header'; readonly header: SealedHeader }
  | { readonly kind: 'damaged'; readonly reason: string };

/** Encodes a header as its 192 bytes. */
export function encodeSealedHeader(header: SealedHeader): Buffer {
  const { segment, digest, previousDigest } = header;
  assert(segment.logId.length === LOG_ID_BYTES, 'a log id of eight bytes');
  assert(digest.length === DIGEST_BYTES && previousDigest.length === DIGEST_BYTES, 'digests');
  const bytes = Buffer.alloc(SEALED_HEADER_BYTES);
  bytes.writeUInt32LE(SEALED_MAGIC, 0);
  bytes.set(segment.logId, 8);
  bytes.writeUInt32LE(segment.partitionCount, 16);
  bytes.writeUInt32LE(segment.previousChecksum, 20);
  bytes.writeBigUInt64LE(BigInt(segment.firstPosition), 24);
  bytes.writeBigUInt64LE(BigInt(segment.createdAt), 32);
  bytes.writeBigUInt64LE(BigInt(header.lastPosition), 40);
  bytes.writeUInt32LE(header.lastChecksum, 48);
  bytes.writeUInt32LE(BLOCK_BYTES, 52);
  bytes.writeBigUInt64LE(BigInt(header.framesEnd), 56);
  bytes.writeUInt32LE(header.blockCount, 64);
  bytes.writeUInt32LE(header.markCount, 68);
  bytes.writeBigUInt64LE(BigInt(header.indexOffset), 72);
  bytes.writeUInt32LE(header.indexChecksum, 80);
  bytes.writeBigUInt64LE(BigInt(header.fileBytes), 88);
  bytes.set(previousDigest, 96);
  bytes.set(digest, 128);
  bytes.writeUInt32LE(crc32(bytes.subarray(CHECKSUM_FROM)), 4);
  return bytes;
}

/** Reads a header from the first bytes of a file; every byte of it is covered by the checksum. */
export function decodeSealedHeader(bytes: Buffer): SealedHeaderDecode {
  if (bytes.length < SEALED_HEADER_BYTES) return damaged(`the file has only ${bytes.length} bytes`);
  const magic = bytes.readUInt32LE(0);
  if (magic !== SEALED_MAGIC) return damaged(`no sealed segment starts with ${hex(magic)}`);
  const expected = bytes.readUInt32LE(4);
  const actual = crc32(bytes.subarray(CHECKSUM_FROM, SEALED_HEADER_BYTES));
  if (expected !== actual)
    return damaged(`checksum ${hex(actual)} where the header says ${hex(expected)}`);
  const header = readHeader(bytes);
  const fault = shapeFault(bytes, header);
  return fault === null ? { kind: 'header', header } : damaged(fault);
}

function readHeader(bytes: Buffer): SealedHeader {
  return {
    segment: {
      logId: Buffer.from(bytes.subarray(8, 8 + LOG_ID_BYTES)),
      partitionCount: bytes.readUInt32LE(16),
      previousChecksum: bytes.readUInt32LE(20),
      firstPosition: position(safe(bytes, 24)),
      createdAt: micros(safe(bytes, 32)),
    },
    lastPosition: position(safe(bytes, 40)),
    lastChecksum: bytes.readUInt32LE(48),
    framesEnd: safe(bytes, 56),
    blockCount: bytes.readUInt32LE(64),
    markCount: bytes.readUInt32LE(68),
    indexOffset: safe(bytes, 72),
    indexChecksum: bytes.readUInt32LE(80),
    fileBytes: safe(bytes, 88),
    previousDigest: Buffer.from(bytes.subarray(96, 96 + DIGEST_BYTES)),
    digest: Buffer.from(bytes.subarray(128, 128 + DIGEST_BYTES)),
  };
}

function safe(bytes: Buffer, offset: number): number {
  return Number(bytes.readBigUInt64LE(offset));
}

// Only a faulty writer, or another version of the format, gets here past the checksum.
function shapeFault(bytes: Buffer, header: SealedHeader): string | null {
  const blockBytes = bytes.readUInt32LE(52);
  if (blockBytes !== BLOCK_BYTES) return `blocks of ${blockBytes} bytes`;
  const framesBytes = header.framesEnd - SEGMENT_HEADER_BYTES;
  if (framesBytes <= 0 || header.blockCount !== Math.ceil(framesBytes / BLOCK_BYTES))
    return `${header.blockCount} blocks for ${framesBytes} bytes of frames`;
  if (header.fileBytes !== header.indexOffset + indexBytes(header))
    return 'the index does not end with the file';
  return null;
}

/** Bytes of the index of a sealed segment. */
export function indexBytes(header: Pick<SealedHeader, 'blockCount' | 'markCount'>): number {
  return header.blockCount * BLOCK_ENTRY_BYTES + header.markCount * MARK_BYTES;
}

function damaged(reason: string): SealedHeaderDecode {
  return { kind: 'damaged', reason };
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

/** The file name of the sealed segment whose first event has this position. */
export function sealedName(firstPosition: Position): string {
  return sealedNameOf(segmentName(firstPosition));
}

/** The name that the raw segment has, or had, in place of this sealed one. */
export function rawNameOf(name: string): string {
  return otherEnd(name, SEALED_SUFFIX, SEGMENT_SUFFIX);
}

/** The name that the sealed segment has, or would have, in place of this raw one. */
export function sealedNameOf(name: string): string {
  return otherEnd(name, SEGMENT_SUFFIX, SEALED_SUFFIX);
}

function otherEnd(name: string, from: string, to: string): string {
  assert(name.endsWith(from), `a name that ends in ${from}`);
  return name.slice(0, -from.length) + to;
}

/** The first position that the file name of a segment says, raw or sealed; null for a name that no segment has. */
export function firstPositionOf(name: string): Position | null {
  return parseSegmentName(name.endsWith(SEALED_SUFFIX) ? rawNameOf(name) : name);
}
