/**
 * The segment: one file of the log, named by the position of its first event in 20 digits, such as `00000000000000000001.seg`. All integers are
 * little-endian.
 *
 *     offset  size  header, 4096 bytes
 *     0       4     magic "ASG1"; the last byte is the format's version
 *     4       4     CRC-32 of bytes 8 .. 4096
 *     8       8     log id, the same in every segment and frame of the log
 *     16      4     number of partitions, the same in every segment
 *     20      4     checksum of the frame before this segment, 0 before the first frame of the log
 *     24      8     position of the first event
 *     32      8     created at, microseconds
 *     40      4056  zero
 *
 *     4096          frames, end to end, each at a multiple of 8
 *     end           zeros up to the end of the file
 *
 * A file is made with its full length of written zeros before it gets its name, so what lies behind the last frame is zero and never old
 * data. The header is durable before the name is, and the name before the first frame; so a segment that exists says that every frame before it was
 * durable, and a segment with a damaged header is damage, never the trace of a crash. A sealed segment ends where the header of the
 * next one says: at the frame with that checksum, right before that position. The header has a page of its own, so that no write of a
 * frame ever touches it.
 */
import { crc32 } from 'node:zlib';
import { assert } from '@allsource/shared/lang';
import { type Micros, micros, type Position, position } from '@allsource/shared/model';
import { LOG_ID_BYTES } from '@allsource/shared/protocol';

export const SEGMENT_HEADER_BYTES = 4096;
export const SEGMENT_SUFFIX = '.seg';
const SEGMENT_MAGIC = 0x31475341; // "ASG1"
const CHECKSUM_FROM = 8;
const NAME_DIGITS = 20;
const SEGMENT_NAME = /^\d{20}\.seg$/;

/** What a segment says of itself. */
export interface SegmentHeader {
  readonly logId: Buffer;
  readonly partitionCount: number;
  readonly previousChecksum: number;
  readonly firstPosition: Position;
  readonly createdAt: Micros;
}

export type SegmentHeaderDecode =
  | { readonly kind: 'header'; readonly header: SegmentHeader }
  | { readonly kind: 'damaged'; readonly reason: string };

/** Encodes a header as its 4096 bytes. */
export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  assert(header.logId.length === LOG_ID_BYTES, 'a log id of eight bytes');
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.writeUInt32LE(SEGMENT_MAGIC, 0);
  bytes.set(header.logId, 8);
  bytes.writeUInt32LE(header.partitionCount, 16);
  bytes.writeUInt32LE(header.previousChecksum, 20);
  bytes.writeBigUInt64LE(BigInt(header.firstPosition), 24);
  bytes.writeBigUInt64LE(BigInt(header.createdAt), 32);
  bytes.writeUInt32LE(crc32(bytes.subarray(CHECKSUM_FROM)), 4);
  return bytes;
}

/** Reads a header from the first bytes of a file; every byte of it is covered by the checksum. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeaderDecode {
  if (bytes.length < SEGMENT_HEADER_BYTES)
    return damaged(`the file has only ${bytes.length} bytes`);
  const magic = bytes.readUInt32LE(0);
  if (magic !== SEGMENT_MAGIC) return damaged(`no segment of format 1 starts with ${hex(magic)}`);
  const expected = bytes.readUInt32LE(4);
  const actual = crc32(bytes.subarray(CHECKSUM_FROM, SEGMENT_HEADER_BYTES));
  if (expected !== actual)
    return damaged(`checksum ${hex(actual)} where the header says ${hex(expected)}`);
  const header = {
    logId: Buffer.from(bytes.subarray(8, 8 + LOG_ID_BYTES)),
    partitionCount: bytes.readUInt32LE(16),
    previousChecksum: bytes.readUInt32LE(20),
    firstPosition: position(Number(bytes.readBigUInt64LE(24))),
    createdAt: micros(Number(bytes.readBigUInt64LE(32))),
  };
  return { kind: 'header', header };
}

function damaged(reason: string): SegmentHeaderDecode {
  return { kind: 'damaged', reason };
}

function hex(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}

/** The file name of the segment whose first event has this position. */
export function segmentName(firstPosition: Position): string {
  return `${String(firstPosition).padStart(NAME_DIGITS, '0')}${SEGMENT_SUFFIX}`;
}

/** The first position that a segment's file name says, or null for a name that no segment has. */
export function parseSegmentName(name: string): Position | null {
  if (!SEGMENT_NAME.test(name)) return null;
  const value = Number(name.slice(0, NAME_DIGITS));
  return Number.isSafeInteger(value) && value > 0 ? position(value) : null;
}
