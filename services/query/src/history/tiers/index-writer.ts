/**
 * Merges the entities of neighbouring blocks or indexes into one index.
 *
 * Promise: when `writeIndex` resolves, the index is whole and durable under its name. Order: the bytes are written under a draft name and
 * synced, then the file is renamed and the folder is synced. A crash before the rename leaves a draft, which the next open removes. What was
 * merged is not touched. Memory is a bounded part of each input at a time, and the event loop turns in between.
 */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncFolder } from '@allsource/service-kit/files';
import { Turns } from '@allsource/service-kit/turns';
import { DRAFT_SUFFIX } from '../block/block-writer.ts';
import type { EntityIndex } from './entity-index.ts';
import {
  type BlockRange,
  blockOf,
  bucketBitsFor,
  bucketChecksum,
  bucketOf,
  directoryOffset,
  encodeIndexHeader,
  entriesOffset,
  hashOf,
  INDEX_ENTRY_BYTES,
  type IndexExtent,
  indexEntry,
} from './index-format.ts';

const POSITION_DIGITS = 16;
const ENTRIES_A_READ = 8_192;
const ENTRIES_A_WRITE = 65_536;
const ENTRIES_A_TURN = 4_096;
const NO_MORE = Number.POSITIVE_INFINITY;

/** What is merged: the entities of one block, or an index. */
export type MergeSource =
  | { readonly kind: 'block'; readonly range: BlockRange; readonly hashes: () => Uint32Array }
  | { readonly kind: 'index'; readonly index: EntityIndex };

export interface IndexToWrite {
  readonly folder: string;
  readonly logId: Buffer;
  readonly level: number;
  readonly sources: readonly MergeSource[];
  /** Asked between turns; true ends the work. */
  readonly isCancelled: () => boolean;
}

export function indexFileName({ firstPosition, lastPosition }: BlockRange): string {
  return `${digits(firstPosition)}-${digits(lastPosition)}.entities`;
}

function digits(position: number): string {
  return String(position).padStart(POSITION_DIGITS, '0');
}

export const isIndexFile = (name: string): boolean => name.endsWith('.entities');

/** Writes an index. Returns its path, or null when it was cancelled. */
export async function writeIndex(index: IndexToWrite): Promise<string | null> {
  const blocks = index.sources.flatMap(rangesOf);
  const [first] = blocks;
  const last = blocks.at(-1);
  if (first === undefined || last === undefined) return null;
  const name = indexFileName({
    firstPosition: first.firstPosition,
    lastPosition: last.lastPosition,
  });
  const path = join(index.folder, name);
  const draft = path + DRAFT_SUFFIX;
  try {
    if (!(await writeDraft(draft, { ...index, blocks }))) {
      await rm(draft, { force: true });
      return null;
    }
    await rename(draft, path);
    await syncFolder(index.folder);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return path;
}

function rangesOf(source: MergeSource): readonly BlockRange[] {
  return source.kind === 'block' ? [source.range] : source.index.header.blocks;
}

async function writeDraft(
  path: string,
  index: IndexToWrite & { readonly blocks: readonly BlockRange[] },
): Promise<boolean> {
  const cursors = cursorsOf(index.sources);
  const expected = cursors.reduce((sum, { entryCount }) => sum + entryCount, 0);
  const { level, logId, blocks } = index;
  const bucketBits = bucketBitsFor(expected);
  const extent: IndexExtent = { level, logId, blocks, bucketBits, entryCount: 0 };
  const file = await open(path, 'w');
  try {
    const entries = new EntriesWriter(file, extent);
    if (!(await merge(cursors, entries, index.isCancelled))) return false;
    await entries.finish();
    await file.sync();
  } finally {
    await file.close();
  }
  return true;
}

/** Takes the smallest hash again and again; of equal ones that of the earliest block. Returns false when it was cancelled. */
async function merge(
  cursors: readonly Cursor[],
  entries: EntriesWriter,
  isCancelled: () => boolean,
): Promise<boolean> {
  const turns = new Turns();
  for (;;) {
    for (let i = 0; i < ENTRIES_A_TURN; i++) {
      let least: Cursor | undefined = cursors[0];
      for (const cursor of cursors) if (cursor.hash < (least?.hash ?? NO_MORE)) least = cursor;
      if (least === undefined || least.hash === NO_MORE) return true;
      entries.add(least.hash, least.block);
      least.next();
    }
    if (entries.isFull) await entries.flush();
    await turns.next();
    if (isCancelled()) return false;
  }
}

/** The entries of a source in the order of their hashes. */
interface Cursor {
  readonly entryCount: number;
  /** Infinity behind the last one. */
  readonly hash: number;
  readonly block: number;
  next(): void;
}

function cursorsOf(sources: readonly MergeSource[]): Cursor[] {
  let firstBlock = 0;
  return sources.map((source) => {
    const before = firstBlock;
    firstBlock += rangesOf(source).length;
    return source.kind === 'block'
      ? new BlockCursor(source.hashes(), before)
      : new IndexCursor(source.index, before);
  });
}

class BlockCursor implements Cursor {
  readonly #hashes: Uint32Array;
  readonly block: number;
  #at = 0;
  hash: number;

  constructor(hashes: Uint32Array, block: number) {
    this.#hashes = hashes;
    this.block = block;
    this.hash = hashes[0] ?? NO_MORE;
  }

  get entryCount(): number {
    return this.#hashes.length;
  }

  next(): void {
    this.hash = this.#hashes[++this.#at] ?? NO_MORE;
  }
}

class IndexCursor implements Cursor {
  readonly #index: EntityIndex;
  readonly #firstBlock: number;
  readonly #bucketsARead: number;
  #entries = new Uint32Array(0);
  #at = -1;
  #bucketSizes: readonly number[] = [];
  /** The bucket of the next entry, and where it ends among the entries read. */
  #bucket = -1;
  #bucketEnd = 0;
  #firstBucket = 0;
  hash = 0;
  block = 0;

  constructor(index: EntityIndex, firstBlock: number) {
    this.#index = index;
    this.#firstBlock = firstBlock;
    const { entryCount, bucketBits } = index.header;
    const perBucket = Math.max(1, entryCount / (1 << bucketBits));
    this.#bucketsARead = Math.max(1, Math.floor(ENTRIES_A_READ / perBucket));
    this.next();
  }

  get entryCount(): number {
    return this.#index.header.entryCount;
  }

  next(): void {
    const { bucketBits } = this.#index.header;
    this.#at++;
    while (this.#at >= this.#bucketEnd) {
      this.#bucket++;
      if (this.#bucket >= 1 << bucketBits) {
        this.hash = NO_MORE;
        return;
      }
      if (this.#bucket >= this.#firstBucket + this.#bucketSizes.length) this.#read();
      this.#bucketEnd += this.#bucketSizes[this.#bucket - this.#firstBucket] as number;
    }
    const entry = this.#entries[this.#at] as number;
    this.hash = hashOf(entry, this.#bucket, bucketBits);
    this.block = this.#firstBlock + blockOf(entry, bucketBits);
  }

  #read(): void {
    const left = (1 << this.#index.header.bucketBits) - this.#bucket;
    const read = this.#index.buckets(this.#bucket, Math.min(left, this.#bucketsARead));
    this.#entries = Uint32Array.from(read.entries);
    this.#bucketSizes = read.bucketSizes;
    this.#firstBucket = this.#bucket;
    this.#bucketEnd = 0;
    this.#at = 0;
  }
}

/** Collects entries, writes them bucket by bucket, and in the end the directory and the header before them. */
class EntriesWriter {
  readonly #file: FileHandle;
  readonly #extent: IndexExtent;
  readonly #directory: Uint32Array;
  readonly #waiting = new Uint32Array(ENTRIES_A_WRITE + ENTRIES_A_TURN);
  #waitingCount = 0;
  #bucket = 0;
  /** Where the open bucket begins among the waiting entries. */
  #bucketStart = 0;
  #checksum = 0;
  #writtenCount = 0;
  #lastHash = -1;
  #lastBlock = -1;

  constructor(file: FileHandle, extent: IndexExtent) {
    this.#file = file;
    this.#extent = extent;
    this.#directory = new Uint32Array((1 << extent.bucketBits) * 2);
  }

  get isFull(): boolean {
    return this.#waitingCount >= ENTRIES_A_WRITE;
  }

  /** Adds an entry; they come in order. Two entities of a block may share a hash and are one entry then. */
  add(hash: number, block: number): void {
    if (hash === this.#lastHash && block === this.#lastBlock) return;
    this.#lastHash = hash;
    this.#lastBlock = block;
    const { bucketBits } = this.#extent;
    const bucket = bucketOf(hash, bucketBits);
    while (this.#bucket < bucket) this.#endBucket();
    this.#waiting[this.#waitingCount++] = indexEntry(hash, block, bucketBits);
  }

  #endBucket(): void {
    this.#sumUp();
    this.#directory[this.#bucket * 2] = this.#writtenCount + this.#waitingCount;
    this.#directory[this.#bucket * 2 + 1] = this.#checksum;
    this.#bucket++;
    this.#checksum = this.#bucket;
  }

  /** Takes what is waiting of the open bucket into its checksum. */
  #sumUp(): void {
    this.#checksum = bucketChecksum(this.#bytes(this.#bucketStart), this.#checksum);
    this.#bucketStart = this.#waitingCount;
  }

  #bytes(from: number): Buffer {
    const start = from * INDEX_ENTRY_BYTES;
    return Buffer.from(this.#waiting.buffer, start, this.#waitingCount * INDEX_ENTRY_BYTES - start);
  }

  async flush(): Promise<void> {
    this.#sumUp();
    const bytes = this.#bytes(0);
    const offset = entriesOffset(this.#extent) + this.#writtenCount * INDEX_ENTRY_BYTES;
    await writeAt(this.#file, { bytes, offset });
    this.#writtenCount += this.#waitingCount;
    this.#waitingCount = 0;
    this.#bucketStart = 0;
  }

  async finish(): Promise<void> {
    while (this.#bucket < 1 << this.#extent.bucketBits) this.#endBucket();
    await this.flush();
    const directory = Buffer.from(this.#directory.buffer);
    const header = encodeIndexHeader({ ...this.#extent, entryCount: this.#writtenCount });
    await writeAt(this.#file, { bytes: directory, offset: directoryOffset(this.#extent) });
    await writeAt(this.#file, { bytes: header, offset: 0 });
  }
}

/** Writes all bytes at a place of a file: one call may write a part of them only. */
async function writeAt(
  file: FileHandle,
  { bytes, offset }: { readonly bytes: Buffer; readonly offset: number },
): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}
