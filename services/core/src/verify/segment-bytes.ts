/**
 * The bytes of a segment as an inspection reads them, at the offsets of the raw segment, whether the file is raw or sealed. What cannot be read comes as bytes that
 * no frame holds, so that the inspection goes on behind it, and `placeOf` says where that lies in the file on the disk.
 */
import { Problem } from '@allsource/shared/errors';
import { BlockCache } from '../log/block-cache.ts';
import type { ByteSource } from '../log/frame-walk.ts';
import { SealedFile } from '../log/sealed-file.ts';
import { BLOCK_BYTES, sealedNameOf } from '../log/sealed-format.ts';
import { SEGMENT_HEADER_BYTES, SEGMENT_SUFFIX } from '../log/segment.ts';
import { type Disk, type DiskFile, diskErrorCode } from '../storage/disk.ts';
import { TolerantSource, UNREADABLE } from './tolerant-source.ts';

/** Bytes of a file, and what is wrong with them. */
export interface BadBytes {
  readonly offset: number;
  readonly endOffset: number;
  readonly reason: string;
}

export interface SegmentBytes {
  readonly source: ByteSource;
  /** The offset in the raw segment behind which no frame lies. */
  readonly end: number;
  /** Where bad bytes of the raw segment lie in the file, with a better reason if there is one. */
  placeOf(bad: BadBytes): BadBytes;
  close(): Promise<void>;
}

/** The bytes of a raw segment. */
export class RawBytes implements SegmentBytes {
  readonly source: TolerantSource;
  readonly end: number;
  readonly #file: DiskFile;

  constructor(file: DiskFile, end: number) {
    this.#file = file;
    this.source = new TolerantSource(file);
    this.end = end;
  }

  placeOf(bad: BadBytes): BadBytes {
    if (!this.source.isUnreadable(bad.offset, bad.endOffset)) return bad;
    return { ...bad, reason: 'the disk answers reads here with an error (EIO)' };
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** The bytes of a sealed segment: those of its blocks that verify. */
export class SealedBytes implements SegmentBytes, ByteSource {
  readonly #sealed: SealedFile;
  /** Blocks that do not verify, by their offset in the raw segment. */
  readonly #badBlocks = new Map<number, BadBytes>();

  private constructor(sealed: SealedFile) {
    this.#sealed = sealed;
  }

  /** Opens a sealed segment. Throws `log_damaged` when its header or index does not verify. */
  static async open(disk: Disk, name: string): Promise<SealedBytes> {
    return new SealedBytes(await SealedFile.open(disk, name, new BlockCache(0)));
  }

  get source(): ByteSource {
    return this;
  }

  get end(): number {
    return this.#sealed.header.framesEnd;
  }

  async read(target: Buffer, offset: number): Promise<number> {
    try {
      return await this.#sealed.read(target, offset);
    } catch (thrown) {
      if (!isBadBlock(thrown)) throw thrown;
      return this.#readBlocks(target, offset);
    }
  }

  readNow(target: Buffer, offset: number): number {
    return this.#sealed.readNow(target, offset);
  }

  async #readBlocks(target: Buffer, offset: number): Promise<number> {
    const end = Math.min(offset + target.length, this.end);
    for (let at = offset; at < end; ) {
      const block = at - ((at - SEGMENT_HEADER_BYTES) % BLOCK_BYTES);
      const blockEnd = Math.min(block + BLOCK_BYTES, end);
      const part = target.subarray(at - offset, blockEnd - offset);
      try {
        await this.#sealed.read(part, at);
      } catch (thrown) {
        if (!isBadBlock(thrown)) throw thrown;
        part.fill(UNREADABLE);
        this.#badBlocks.set(block, this.#badBlock(thrown));
      }
      at = blockEnd;
    }
    return Math.max(0, end - offset);
  }

  #badBlock(thrown: unknown): BadBytes {
    const whole = { offset: 0, endOffset: this.#sealed.header.fileBytes };
    if (thrown instanceof Problem) {
      return badBytesOf(thrown) ?? { ...whole, reason: thrown.message };
    }
    return { ...whole, reason: 'the disk answers reads here with an error (EIO)' };
  }

  placeOf(bad: BadBytes): BadBytes {
    const hit = [...this.#badBlocks]
      .filter(([block]) => block < bad.endOffset && block + BLOCK_BYTES > bad.offset)
      .map(([, place]) => place);
    const [first] = hit;
    if (first === undefined)
      return { ...bad, reason: `${bad.reason} (offsets are those of the uncompressed segment)` };
    return {
      offset: Math.min(...hit.map(({ offset }) => offset)),
      endOffset: Math.max(...hit.map(({ endOffset }) => endOffset)),
      reason: first.reason,
    };
  }

  close(): Promise<void> {
    return this.#sealed.close();
  }
}

function isBadBlock(thrown: unknown): boolean {
  if (thrown instanceof Problem) return thrown.code === 'log_damaged';
  return diskErrorCode(thrown) === 'EIO';
}

/** The place that a `log_damaged` problem names; null when it names none. */
export function badBytesOf({ members }: Problem): BadBytes | null {
  const { offset, end_offset: endOffset, reason } = members;
  const isPlaced = typeof offset === 'number' && typeof endOffset === 'number';
  return isPlaced && typeof reason === 'string' ? { offset, endOffset, reason } : null;
}

/** Opens a segment file. A raw one that a running node has sealed meanwhile is read from the sealed one, which holds the same bytes. */
export async function openSegmentBytes(
  disk: Disk,
  file: { readonly name: string; readonly fileBytes: number },
): Promise<SegmentBytes> {
  if (!file.name.endsWith(SEGMENT_SUFFIX)) return SealedBytes.open(disk, file.name);
  try {
    return new RawBytes(await disk.open(file.name, 'read'), file.fileBytes);
  } catch (thrown) {
    if (diskErrorCode(thrown) !== 'ENOENT') throw thrown;
    return SealedBytes.open(disk, sealedNameOf(file.name));
  }
}
