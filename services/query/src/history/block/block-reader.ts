/**
 * Reads parts of a block file. The file is opened for each read, so a block holds nothing that has to be closed.
 *
 * Open checks everything but the text; each read here checks again what it reads. Damage is reported to the owner and answered with the
 * problem `read_store_damaged`: the store is derived data and is built again.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { isNativeError } from 'node:util/types';
import { crc32 } from 'node:zlib';
import { problem } from '@allsource/shared/errors';
import { assert, must } from '@allsource/shared/lang';
import { type BlockHeader, decodeChunk, decodeSection, type SectionName } from './block-format.ts';

export interface BlockReaderOptions {
  readonly path: string;
  readonly header: BlockHeader;
  readonly onDamage: (reason: string) => void;
}

/** Where a chunk of text lies. */
export interface ChunkPlace {
  readonly offset: number;
  readonly storedBytes: number;
  readonly decodedBytes: number;
  readonly checksum: number;
}

export class BlockReader {
  readonly #options: BlockReaderOptions;

  constructor(options: BlockReaderOptions) {
    this.#options = options;
  }

  /** A section, decoded. */
  section(name: SectionName): Buffer {
    const place = must(this.#options.header.sections.get(name), `a block has the section ${name}`);
    const stored = this.#read(place.offset, place.storedBytes);
    if (crc32(stored) !== place.checksum) this.#fail(`its section ${name} is damaged`);
    return decodeSection(place, stored);
  }

  /** The text of a chunk. */
  chunk({ offset, storedBytes, decodedBytes, checksum }: ChunkPlace): Buffer {
    const stored = this.#read(offset, storedBytes);
    if (crc32(stored) !== checksum) this.#fail(`its text is damaged at byte ${offset}`);
    return decodeChunk(stored, decodedBytes);
  }

  #read(offset: number, bytes: number): Buffer {
    const stored = Buffer.allocUnsafe(bytes);
    const file = this.#open();
    try {
      const read = readSync(file, stored, 0, bytes, offset);
      if (read !== bytes) this.#fail(`it ends at byte ${offset + read}`);
    } finally {
      closeSync(file);
    }
    return stored;
  }

  #open(): number {
    try {
      return openSync(this.#options.path, 'r');
    } catch (error) {
      assert(isNativeError(error), 'the file system throws errors');
      // Anything else, such as too many open files, says nothing about the block.
      if (!('code' in error && error.code === 'ENOENT')) throw error;
      return this.#fail('its file is gone');
    }
  }

  #fail(reason: string): never {
    this.#options.onDamage(reason);
    throw problem(
      'read_store_damaged',
      `The read store's block ${basename(this.#options.path)} is damaged. It is being built again from the log; try again shortly.`,
    );
  }
}
