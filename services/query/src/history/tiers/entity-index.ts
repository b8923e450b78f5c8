/**
 * An open entity index. It keeps its header in memory and its file open; a lookup reads two places of the file: the bucket's entry in the directory
 * and the bucket. Buckets that were checked stay in the cache that blocks have too: two reads and a checksum for each index cost more than all else of a lookup.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { problem } from '@allsource/shared/errors';
import { type BlockCache, ChunkShelf } from '../block/block-cache.ts';
import { uint32s } from '../block/block-format.ts';
import { firstAtLeast } from '../first-at-least.ts';
import {
  blockOf,
  bucketChecksum,
  bucketOf,
  decodeIndexHeader,
  DIRECTORY_ENTRY_BYTES,
  directoryOffset,
  entriesOffset,
  INDEX_ENTRY_BYTES,
  indexEntry,
  type IndexHeader,
  indexHeaderBytes,
} from './index-format.ts';

const HEADER_READ_BYTES = 256;

/** Entries of neighbouring buckets. */
export interface IndexEntries {
  readonly entries: Uint32Array;
  /** The entries of each bucket, in order. */
  readonly bucketSizes: readonly number[];
}

export class EntityIndex {
  readonly path: string;
  readonly header: IndexHeader;
  readonly #cache: BlockCache;
  readonly #buckets = new ChunkShelf<Buffer>();
  #file: number | null;

  private constructor(options: {
    readonly path: string;
    readonly header: IndexHeader;
    readonly cache: BlockCache;
    readonly file: number;
  }) {
    const { path, header, cache } = options;
    this.path = path;
    this.header = header;
    this.#cache = cache;
    this.#file = options.file;
  }

  /** Opens an index, or says in words why it is none that can be used. */
  static open(path: string, cache: BlockCache): EntityIndex | string {
    const file = openSync(path, 'r');
    const header = readHeader(file);
    if (typeof header !== 'string') return new EntityIndex({ path, header, cache, file });
    closeSync(file);
    return header;
  }

  /** The numbers of the blocks that have an entity of this hash, ascending. Throws `read_store_damaged`. */
  blocksWith(hash: number): number[] {
    const { bucketBits } = this.header;
    const bucket = bucketOf(hash, bucketBits);
    const known = this.#buckets.find(bucket);
    const entries = uint32s(known ?? this.#cache.add(this.#buckets, bucket, this.#bucket(bucket)));
    const last = indexEntry(hash, (1 << bucketBits) - 1, bucketBits);
    const found: number[] = [];
    for (let i = firstAtLeast(entries, indexEntry(hash, 0, bucketBits)); i < entries.length; i++) {
      const entry = entries[i] as number;
      if (entry > last) break;
      found.push(blockOf(entry, bucketBits));
    }
    return found;
  }

  #bucket(bucket: number): Buffer {
    const { buffer, byteOffset, byteLength } = this.buckets(bucket, 1).entries;
    return Buffer.from(buffer, byteOffset, byteLength);
  }

  /** Reads some neighbouring buckets and checks them. Throws `read_store_damaged`. */
  buckets(first: number, count: number): IndexEntries {
    const directory = this.#directory(first, count);
    const start = directory[0] as number;
    const end = directory.at(-2) as number;
    const { entryCount } = this.header;
    if (start > end || end > entryCount)
      throw this.#damaged(`bucket ${first} lies outside of the file`);
    const bytes = this.#read(
      (end - start) * INDEX_ENTRY_BYTES,
      entriesOffset(this.header) + start * INDEX_ENTRY_BYTES,
    );
    const bucketSizes: number[] = [];
    for (let i = 0; i < count; i++) {
      const from = directory[i * 2] as number;
      const to = directory[i * 2 + 2] as number;
      const own = bytes.subarray(
        (from - start) * INDEX_ENTRY_BYTES,
        (to - start) * INDEX_ENTRY_BYTES,
      );
      if (to < from || bucketChecksum(own, first + i) !== directory[i * 2 + 3])
        throw this.#damaged(`the checksum of bucket ${first + i} does not fit`);
      bucketSizes.push(to - from);
    }
    return { entries: new Uint32Array(bytes.buffer, bytes.byteOffset, end - start), bucketSizes };
  }

  /** For the bucket before `first` and each of the buckets: the entries up to its end, and its checksum. */
  #directory(first: number, count: number): Uint32Array {
    const begin = directoryOffset(this.header);
    if (first > 0) {
      const bytes = this.#read(
        (count + 1) * DIRECTORY_ENTRY_BYTES,
        begin + (first - 1) * DIRECTORY_ENTRY_BYTES,
      );
      return new Uint32Array(bytes.buffer, bytes.byteOffset, (count + 1) * 2);
    }
    const bytes = this.#read(count * DIRECTORY_ENTRY_BYTES, begin);
    const directory = new Uint32Array((count + 1) * 2);
    directory.set(new Uint32Array(bytes.buffer, bytes.byteOffset, count * 2), 2);
    return directory;
  }

  #read(length: number, offset: number): Buffer {
    if (this.#file === null) throw this.#damaged('it is closed');
    const bytes = Buffer.allocUnsafeSlow(length);
    if (readSync(this.#file, bytes, 0, length, offset) !== length)
      throw this.#damaged('it ends too early');
    return bytes;
  }

  #damaged(reason: string): Error {
    const index = basename(this.path);
    const detail = `The read store's entity index ${index} is damaged: ${reason}. It is made again; try again shortly.`;
    return problem('read_store_damaged', detail, { index });
  }

  close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }
}

function readHeader(file: number): IndexHeader | string {
  const { size } = fstatSync(file);
  const start = Buffer.alloc(Math.min(HEADER_READ_BYTES, size));
  readSync(file, start, 0, start.length, 0);
  const bytes = Buffer.alloc(Math.min(size, indexHeaderBytes(start)));
  readSync(file, bytes, 0, bytes.length, 0);
  const header = decodeIndexHeader(bytes);
  if (typeof header === 'string') return header;
  return header.fileBytes === size ? header : `it has ${size} bytes instead of ${header.fileBytes}`;
}
