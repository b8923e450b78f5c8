/**
 * The file `head`: how far the log was durable when this was last known for sure (at a clean close and at each roll). A log that ends
 * below it has lost acknowledged events, and recovery says so in place of taking the loss for a torn tail. It is a witness, not a source: when
 * it is missing or unreadable the log alone decides, and nothing is ever deleted or refused for the lack of it (I-11).
 *
 *     offset  size  40 bytes, little-endian
 *     0       4     magic "ASH1"; the last byte is the format's version
 *     4       4     CRC-32 of bytes 8 .. 40
 *     8       8     log id
 *     16      8     position of the last durable event
 *     24      4     checksum of its frame
 *     28      12    zero
 *
 * It is written under another name, synced and renamed, so a crash leaves the old marker or the new one.
 */
import { crc32 } from 'node:zlib';
import { type Position, position } from '@allsource/shared/model';
import { LOG_ID_BYTES } from '@allsource/shared/protocol';
import { type Disk, diskErrorCode } from '../storage/disk.ts';

export const HEAD_MARKER_NAME = 'head';
export const HEAD_MARKER_DRAFT_NAME = 'head.tmp';
const MARKER_BYTES = 40;
const MARKER_MAGIC = 0x31485341; // "ASH1"
const CHECKSUM_FROM = 8;

/** A place up to which a log was durable. */
export interface HeadMarker {
  readonly logId: Buffer;
  readonly position: Position;
  readonly checksum: number;
}

/** Encodes a marker. */
export function encodeHeadMarker(marker: HeadMarker): Buffer {
  const bytes = Buffer.alloc(MARKER_BYTES);
  bytes.writeUInt32LE(MARKER_MAGIC, 0);
  bytes.set(marker.logId, 8);
  bytes.writeBigUInt64LE(BigInt(marker.position), 16);
  bytes.writeUInt32LE(marker.checksum, 24);
  bytes.writeUInt32LE(crc32(bytes.subarray(CHECKSUM_FROM)), 4);
  return bytes;
}

/** Reads a marker; null for bytes that are none. */
export function decodeHeadMarker(bytes: Buffer): HeadMarker | null {
  if (bytes.length !== MARKER_BYTES || bytes.readUInt32LE(0) !== MARKER_MAGIC) return null;
  if (bytes.readUInt32LE(4) !== crc32(bytes.subarray(CHECKSUM_FROM))) return null;
  return {
    logId: Buffer.from(bytes.subarray(8, 8 + LOG_ID_BYTES)),
    position: position(Number(bytes.readBigUInt64LE(16))),
    checksum: bytes.readUInt32LE(24),
  };
}

/** The marker on the disk, or null when there is none that can be read. */
export async function readHeadMarker(disk: Disk): Promise<HeadMarker | null> {
  const bytes = Buffer.alloc(MARKER_BYTES + 1);
  try {
    const file = await disk.open(HEAD_MARKER_NAME, 'read');
    try {
      return decodeHeadMarker(bytes.subarray(0, await file.read(bytes, 0)));
    } finally {
      await file.close();
    }
  } catch (thrown) {
    // Missing, or on a bad sector: either way it bears no witness. Anything but a disk error is a fault of the program.
    if (diskErrorCode(thrown) === null) throw thrown;
    return null;
  }
}

/** Replaces the marker, durably. Throws what the disk throws; the old marker then stays or is replaced, and both are true. */
export async function writeHeadMarker(disk: Disk, marker: HeadMarker): Promise<void> {
  await removeDraft(disk);
  const file = await disk.create(HEAD_MARKER_DRAFT_NAME);
  try {
    file.writeNow([encodeHeadMarker(marker)], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.rename(HEAD_MARKER_DRAFT_NAME, HEAD_MARKER_NAME);
  await disk.syncFolder('');
}

async function removeDraft(disk: Disk): Promise<void> {
  try {
    await disk.unlink(HEAD_MARKER_DRAFT_NAME);
  } catch (thrown) {
    if (diskErrorCode(thrown) !== 'ENOENT') throw thrown;
  }
}
