/**
 * Makes the sealed draft of a raw segment: everything of sealing that costs time, and nothing that changes the log. It runs in a worker thread of its own
 * (`seal.worker.ts`), so that compression and hashing never hold up an append; `sealing.ts` then gives the draft its name.
 *
 * Promise: when it resolves, the draft is durable, and what it holds, read back, is the raw segment's frames byte for byte. The frames themselves were
 * verified on the way, with their chain from the segment before to the one behind; a raw segment that does not verify is never sealed, because its raw bytes
 * are what can be looked at and restored.
 *
 * Order: walk the frames once and write their blocks; the index; the header; sync; open the draft afresh and compare all of it with the raw file. A crash or a
 * failure leaves a draft under a name that no recovery takes for a segment. The raw file is only read.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants, crc32, zstdCompressSync } from 'node:zlib';
import type { Position } from '@allsource/shared/model';
import type { Frame } from '@allsource/shared/protocol';
import type { Disk, DiskFile } from '../storage/disk.ts';
import { BlockCache } from './block-cache.ts';
import { type SegmentEnd, walkFullSegment } from './full-segment.ts';
import { segmentProblem } from './log-damage.ts';
import {
  BLOCK_BYTES,
  BLOCK_ENTRY_BYTES,
  encodeSealedHeader,
  indexBytes,
  MARK_BYTES,
  SEALED_HEADER_BYTES,
  type SealedHeader,
} from './sealed-format.ts';
import { SealedFile } from './sealed-file.ts';
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from './segment.ts';

const WINDOW_BYTES = 1024 * 1024;
const MARK_EVERY_BYTES = 16 * 1024;
/** Level 6 saves 1 % more of the real logs and takes three times as long. */
const COMPRESSION = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

/** What is to be sealed. Plain data: it goes to another thread. */
export interface SealJob {
  readonly rawName: string;
  readonly draftName: string;
  readonly next: SegmentEnd;
  /** The digest of the segment before; zero bytes before the first. */
  readonly previousDigest: Uint8Array;
}

/** A draft that has been made: its header's 192 bytes. */
export interface SealedDraft {
  readonly header: Uint8Array;
}

export interface SealTools {
  readonly disk: Disk;
  /** Waited for after every piece of work with the bytes it was about; rejects to give up. */
  readonly pace: (bytes: number) => Promise<void>;
}

/** Makes a draft. Throws `log_damaged` when the raw segment or the draft read back does not verify, and what the disk throws. */
export async function sealSegment(tools: SealTools, job: SealJob): Promise<SealedDraft> {
  const raw = await tools.disk.open(job.rawName, 'read');
  try {
    const header = await writeDraft(tools, job, raw);
    await requireSame(tools, job, raw);
    return { header: encodeSealedHeader(header) };
  } finally {
    await raw.close();
  }
}

async function writeDraft(tools: SealTools, job: SealJob, raw: DiskFile): Promise<SealedHeader> {
  const draft = await tools.disk.create(job.draftName);
  try {
    const segment = await readRawHeader(raw, job.rawName);
    const writer = new DraftWriter({ draft, segment, previousDigest: job.previousDigest });
    await copyFrames(tools, { job, raw, segment }, writer);
    const header = writer.finish();
    await draft.datasync();
    await tools.disk.syncFolder('');
    return header;
  } finally {
    await draft.close();
  }
}

async function readRawHeader(raw: DiskFile, name: string): Promise<SegmentHeader> {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  const decoded = decodeSegmentHeader(bytes.subarray(0, await raw.read(bytes, 0)));
  if (decoded.kind === 'header') return decoded.header;
  throw segmentProblem(name, `its header is damaged, ${decoded.reason}`);
}

async function copyFrames(
  tools: SealTools,
  from: { readonly job: SealJob; readonly raw: DiskFile; readonly segment: SegmentHeader },
  writer: DraftWriter,
): Promise<void> {
  const { job, raw, segment } = from;
  const { rawName: name, next } = job;
  const full = { name, header: segment, source: raw, end: await raw.size(), next };
  await walkFullSegment(full, {
    onFrame: (frame, offset) => writer.take(frame, offset),
    pace: tools.pace,
  });
}

/** Cuts frames into blocks and writes these, their index and the header. */
class DraftWriter {
  readonly #draft: DiskFile;
  readonly #segment: SegmentHeader;
  readonly #previousDigest: Buffer;
  readonly #hash: Hash;
  readonly #block = Buffer.allocUnsafe(BLOCK_BYTES);
  readonly #entries: Buffer[] = [];
  readonly #marks: Buffer[] = [];
  #blockBytes = 0;
  #offset = SEALED_HEADER_BYTES;
  #framesEnd = SEGMENT_HEADER_BYTES;
  #markOffset = Number.NEGATIVE_INFINITY;
  #lastPosition: Position;
  #lastChecksum = 0;

  constructor(parts: {
    readonly draft: DiskFile;
    readonly segment: SegmentHeader;
    readonly previousDigest: Uint8Array;
  }) {
    this.#draft = parts.draft;
    this.#segment = parts.segment;
    this.#previousDigest = Buffer.from(parts.previousDigest);
    this.#hash = createHash('sha256').update(this.#previousDigest);
    this.#lastPosition = parts.segment.firstPosition;
  }

  /** Takes the next frame, which lies at `offset` in the raw segment. */
  take(frame: Frame, offset: number): void {
    if (offset - this.#markOffset >= MARK_EVERY_BYTES) this.#mark(frame, offset);
    this.#hash.update(frame.bytes);
    for (let at = 0; at < frame.bytes.length; ) {
      const copied = frame.bytes.copy(this.#block, this.#blockBytes, at);
      at += copied;
      this.#blockBytes += copied;
      if (this.#blockBytes === BLOCK_BYTES) this.#writeBlock();
    }
    this.#framesEnd = offset + frame.bytes.length;
    this.#lastPosition = frame.lastPosition;
    this.#lastChecksum = frame.checksum;
  }

  #mark(frame: Frame, offset: number): void {
    const mark = Buffer.alloc(MARK_BYTES);
    mark.writeUInt32LE(frame.position - this.#segment.firstPosition, 0);
    mark.writeUInt32LE(offset, 4);
    mark.writeUInt32LE(frame.previousChecksum, 8);
    this.#marks.push(mark);
    this.#markOffset = offset;
  }

  #writeBlock(): void {
    const raw = this.#block.subarray(0, this.#blockBytes);
    const compressed = zstdCompressSync(raw, COMPRESSION);
    const stored = compressed.length < raw.length ? compressed : raw;
    const entry = Buffer.alloc(BLOCK_ENTRY_BYTES);
    entry.writeUInt32LE(stored.length, 0);
    entry.writeUInt32LE(crc32(stored), 4);
    this.#entries.push(entry);
    this.#draft.writeNow([stored], this.#offset);
    this.#offset += stored.length;
    this.#blockBytes = 0;
  }

  /** Writes what is left, the index and the header. */
  finish(): SealedHeader {
    if (this.#blockBytes > 0) this.#writeBlock();
    const index = Buffer.concat([...this.#entries, ...this.#marks]);
    const counts = { blockCount: this.#entries.length, markCount: this.#marks.length };
    const header: SealedHeader = {
      segment: this.#segment,
      lastPosition: this.#lastPosition,
      lastChecksum: this.#lastChecksum,
      framesEnd: this.#framesEnd,
      ...counts,
      indexOffset: this.#offset,
      indexChecksum: crc32(index),
      fileBytes: this.#offset + indexBytes(counts),
      previousDigest: this.#previousDigest,
      digest: this.#hash.digest(),
    };
    this.#draft.writeNow([index], this.#offset);
    this.#draft.writeNow([encodeSealedHeader(header)], 0);
    return header;
  }
}

async function requireSame(tools: SealTools, job: SealJob, raw: DiskFile): Promise<void> {
  const { disk, pace } = tools;
  const fault = await sealedFault(disk, { raw, sealedName: job.draftName, pace });
  if (fault !== null)
    throw segmentProblem(job.draftName, `read back it is not segment ${job.rawName}: ${fault}`);
}

/** Why a sealed segment does not hold the frames of a raw one byte for byte; null when it does. Throws what the disk throws, and `log_damaged`. */
export async function sealedFault(
  disk: Disk,
  pair: {
    readonly raw: DiskFile;
    readonly sealedName: string;
    readonly pace: (bytes: number) => Promise<void>;
  },
): Promise<string | null> {
  const { raw, sealedName, pace } = pair;
  const sealed = await SealedFile.open(disk, sealedName, new BlockCache(0));
  try {
    const { framesEnd, digest, previousDigest } = sealed.header;
    const hash = createHash('sha256').update(previousDigest);
    const bytes = [Buffer.allocUnsafe(WINDOW_BYTES), Buffer.allocUnsafe(WINDOW_BYTES)] as const;
    for (let at = SEGMENT_HEADER_BYTES; at < framesEnd; at += WINDOW_BYTES) {
      await pace(WINDOW_BYTES);
      const length = Math.min(WINDOW_BYTES, framesEnd - at);
      const [one, other] = [bytes[0].subarray(0, length), bytes[1].subarray(0, length)];
      await sealed.read(one, at);
      if ((await raw.read(other, at)) < length || !one.equals(other))
        return `another byte between ${at} and ${at + length}`;
      hash.update(one);
    }
    return hash.digest().equals(digest) ? null : 'another digest';
  } finally {
    await sealed.close();
  }
}
