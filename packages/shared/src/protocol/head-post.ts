/**
 * The head post: how far core's log reaches, in a file in memory, for services on core's machine. Looking there takes a few microseconds; a question to core costs both sides a wake-up.
 *
 *     offset  size  head post, 40 bytes, little-endian
 *     0       4     magic "ASP1"
 *     4       4     CRC-32 of bytes 8 .. 40
 *     8       16    writer: a random id of this run of core
 *     24      8     head: the position of the last durable event
 *     32      8     written at: milliseconds of the machine's monotonic clock, a double
 *
 * Core's answer to `GET /internal/v1/head` names the writer. The argument why a reader may trust what it finds stands in service-kit's posted-head.ts.
 */
import { crc32 } from 'node:zlib';
import { type Position, position } from '../model/position.ts';

const MAGIC = 0x31505341; // "ASP1"

export const HEAD_POST = {
  /** Where Linux keeps files in memory. They are coherent between the processes of a machine, and end with it. */
  folder: '/dev/shm',
  bytes: 40,
  writerBytes: 16,
  /** How often core writes it, whatever the log does. */
  beatMs: 250,
  /** What is older than this is no longer core's word. */
  validMs: 1_000,
  /** How long a reader relies on the file having its name. Core waits for longer between making the file and its first append. */
  namedMs: 20,
} as const;

export interface HeadPostRecord {
  readonly writer: Buffer;
  readonly head: Position;
  readonly writtenMs: number;
}

/** The name of a log's file: the same wherever the log's folder lies, so that a later run of core finds what an earlier one has left. */
export function headPostName(logIdHex: string): string {
  return `allsource-head-${logIdHex}`;
}

/** Milliseconds of the clock that all processes of a machine share, and that nobody sets. */
export function machineMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1000 + nanoseconds / 1e6;
}

export function encodeHeadPost({ writer, head, writtenMs }: HeadPostRecord, target: Buffer): void {
  target.writeUInt32LE(MAGIC, 0);
  writer.copy(target, 8);
  target.writeBigUInt64LE(BigInt(head), 24);
  target.writeDoubleLE(writtenMs, 32);
  target.writeUInt32LE(crc32(target.subarray(8, HEAD_POST.bytes)), 4);
}

/** The record in `source`, of which it keeps a view; null when it is none, or was read while it was written. */
export function decodeHeadPost(source: Buffer): HeadPostRecord | null {
  if (source.length !== HEAD_POST.bytes || source.readUInt32LE(0) !== MAGIC) return null;
  if (source.readUInt32LE(4) !== crc32(source.subarray(8))) return null;
  const head = Number(source.readBigUInt64LE(24));
  return {
    writer: source.subarray(8, 24),
    head: position(head),
    writtenMs: source.readDoubleLE(32),
  };
}
