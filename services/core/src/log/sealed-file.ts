/**
 * A sealed segment, open for reading: the raw segment's bytes at the raw segment's offsets (`sealed-format.ts`). Every block is verified by its checksum
 * each time it is read from the disk; one that does not verify is a `log_damaged` problem that names the bytes of the file and the positions, and the blocks
 * around it stay readable (I-10).
 *
 * Small reads go through the cache of blocks and are blocking: 5 KB from the page cache and their decompression take less than the hop to the thread pool
 * and back. Long reads fetch many blocks at once and leave the cache alone, so a scan of the log does not push out what the entity reads need.
 */
import { crc32 } from 'node:zlib';
import type { Position } from '@allsource/shared/model';
import type { Disk, DiskFile } from '../storage/disk.ts';
import type { BlockCache } from './block-cache.ts';
import type { ByteSource } from './frame-walk.ts';
import { damageProblem, segmentProblem } from './log-damage.ts';
import type { MarkSpan } from './position-index.ts';
import {
  BlockFault,
  decompressed,
  decompressedTogether,
  isCompressed,
  type StoredBlock,
} from './sealed-blocks.ts';
import {
  BLOCK_BYTES,
  decodeSealedHeader,
  indexBytes,
  SEALED_HEADER_BYTES,
  type SealedHeader,
} from './sealed-format.ts';
import { SealedIndex } from './sealed-index.ts';
import { SEGMENT_HEADER_BYTES } from './segment.ts';

/** The compressed bytes of a block, from its read to its decompression in the same turn. No block is larger compressed than raw. */
const SCRATCH = Buffer.alloc(BLOCK_BYTES);

export class SealedFile implements ByteSource {
  readonly name: string;
  readonly header: SealedHeader;
  readonly #file: DiskFile;
  readonly #index: SealedIndex;
  readonly #cache: BlockCache;

  private constructor(
    file: DiskFile,
    parts: {
      readonly name: string;
      readonly header: SealedHeader;
      readonly index: SealedIndex;
      readonly cache: BlockCache;
    },
  ) {
    this.#file = file;
    this.name = parts.name;
    this.header = parts.header;
    this.#index = parts.index;
    this.#cache = parts.cache;
  }

  /** Opens a sealed segment: reads its header and index, no block. Throws `log_damaged` when they do not verify. */
  static async open(disk: Disk, name: string, cache: BlockCache): Promise<SealedFile> {
    const file = await disk.open(name, 'read');
    try {
      const header = await readSealedHeader(file, name);
      const index = readIndex(file, name, header);
      return new SealedFile(file, { name, header, index, cache });
    } catch (thrown) {
      await file.close();
      throw thrown;
    }
  }

  /** The last mark at or before a position of the segment. */
  find(wanted: Position): MarkSpan {
    return this.#index.find(wanted);
  }

  readNow(target: Buffer, offset: number): number {
    const end = Math.min(offset + target.length, this.header.framesEnd);
    for (let at = offset; at < end; ) {
      const block = blockOf(at);
      const bytes = this.#block(block);
      at += bytes.copy(target, at - offset, at - rawOffsetOf(block), end - rawOffsetOf(block));
    }
    return Math.max(0, end - offset);
  }

  async read(target: Buffer, offset: number): Promise<number> {
    const end = Math.min(offset + target.length, this.header.framesEnd);
    if (end <= offset) return 0;
    const first = blockOf(offset);
    const last = blockOf(end - 1);
    const from = this.#index.place(first).offset;
    const { offset: lastOffset, bytes: lastBytes } = this.#index.place(last);
    const stored = Buffer.allocUnsafe(lastOffset + lastBytes - from);
    this.#cache.onShortLived(stored.length);
    const length = await this.#file.read(stored, from);
    for (let block = first; block <= last; ) {
      const bytes = this.#blocks(block, last, { stored: stored.subarray(0, length), from });
      const raw = rawOffsetOf(block);
      const within = Math.max(0, offset - raw);
      bytes.copy(target, raw + within - offset, within, end - raw);
      block += Math.ceil(bytes.length / BLOCK_BYTES);
    }
    return end - offset;
  }

  /** Bytes of the raw segment, to look at before anything is awaited and not to change. The range must lie in the frames. */
  view(offset: number, length: number): Buffer {
    const block = blockOf(offset);
    const within = offset - rawOffsetOf(block);
    if (within + length <= BLOCK_BYTES) return this.#block(block).subarray(within, within + length);
    const bytes = Buffer.allocUnsafe(length);
    return bytes.subarray(0, this.readNow(bytes, offset));
  }

  #block(block: number): Buffer {
    const kept = this.#cache.get(this.name, block);
    if (kept !== null) return kept;
    const { offset, bytes } = this.#index.place(block);
    const stored = SCRATCH.subarray(0, bytes);
    const read = this.#verified(block, stored.subarray(0, this.#file.readNow(stored, offset)));
    return this.#cache.keep({ name: this.name, block }, read);
  }

  /** The bytes of a block and of as many behind it as are decompressed with it, up to `last`. */
  // oxlint-disable-next-line eslint/max-params -- a range and what was read of it.
  #blocks(
    block: number,
    last: number,
    { stored, from }: { readonly stored: Buffer; readonly from: number },
  ): Buffer {
    const blocks: StoredBlock[] = [];
    for (let next = block; next <= last; next++) {
      const place = this.#index.place(next);
      if (!isCompressed(place)) break;
      const start = place.offset - from;
      blocks.push({ place, stored: stored.subarray(start, start + place.bytes) });
    }
    const together = decompressedTogether(blocks);
    if (together === null) {
      const { offset, bytes } = this.#index.place(block);
      return this.#verified(block, stored.subarray(offset - from, offset - from + bytes));
    }
    this.#cache.onShortLived(together.length);
    return together;
  }

  #verified(block: number, stored: Buffer): Buffer {
    const place = this.#index.place(block);
    this.#cache.onShortLived(place.rawBytes);
    try {
      return decompressed(place, stored);
    } catch (thrown) {
      if (!(thrown instanceof BlockFault)) throw thrown;
      const raw = rawOffsetOf(block);
      const { first, last } = this.#index.positionsBetween(raw, raw + place.rawBytes);
      throw damageProblem({
        segment: this.name,
        offset: place.offset,
        endOffset: place.offset + place.bytes,
        firstPosition: first,
        lastPosition: last,
        reason: thrown.message,
      });
    }
  }

  /** Gives the handle back. May be called twice. */
  async close(): Promise<void> {
    await this.#file.close();
  }
}

function blockOf(rawOffset: number): number {
  return Math.floor((rawOffset - SEGMENT_HEADER_BYTES) / BLOCK_BYTES);
}

function rawOffsetOf(block: number): number {
  return SEGMENT_HEADER_BYTES + block * BLOCK_BYTES;
}

/** Reads the header of a sealed segment. Throws `log_damaged` when it does not verify or the file has another length than it says. */
export async function readSealedHeader(file: DiskFile, name: string): Promise<SealedHeader> {
  const bytes = Buffer.alloc(SEALED_HEADER_BYTES);
  const decoded = decodeSealedHeader(bytes.subarray(0, await file.read(bytes, 0)));
  if (decoded.kind === 'damaged')
    throw segmentProblem(name, `its header is damaged, ${decoded.reason}`);
  const { header } = decoded;
  const fileBytes = await file.size();
  if (fileBytes !== header.fileBytes)
    throw segmentProblem(name, `it has ${fileBytes} bytes and its header says ${header.fileBytes}`);
  return header;
}

function readIndex(file: DiskFile, name: string, header: SealedHeader): SealedIndex {
  const bytes = Buffer.allocUnsafe(indexBytes(header));
  const length = file.readNow(bytes, header.indexOffset);
  if (length === bytes.length && crc32(bytes) === header.indexChecksum) {
    const index = new SealedIndex(header, bytes);
    if (index.isWhole) return index;
  }
  throw damageProblem({
    segment: name,
    offset: header.indexOffset,
    endOffset: header.fileBytes,
    firstPosition: header.segment.firstPosition,
    lastPosition: header.lastPosition,
    reason: 'the index does not fit its checksum',
  });
}
