/**
 * The folder of the block files. Blocks stand in position order without a gap, all of one log; opening keeps the longest such sequence
 * from position 1 on. What does not fit (a draft of a crash, a damaged or cut file, one of another format or another log, anything behind a
 * missing block) is removed with a warning: blocks are derived from the log, and the follower brings the removed part again.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isNativeError } from 'node:util/types';
import type { BlockCache } from './block/block-cache.ts';
import type { BlockFile } from './block/block-file.ts';
import { contentOf } from './block/block-content.ts';
import { isBlockFile, isDraftFile, type WriteBlock } from './block/block-writer.ts';
import { openBlock } from './block/open-block.ts';
import { problem } from '@allsource/shared/errors';
import type { Tail } from './tail/tail.ts';

export interface BlockFolderOptions {
  readonly folder: string;
  readonly cache: BlockCache;
  readonly writeBlock: WriteBlock;
  readonly warn: (facts: object, message: string) => void;
  /** Called when a part of an open block turns out to be damaged. */
  readonly onDamage: (block: BlockFile, reason: string) => void;
}

export class BlockFolder {
  readonly #options: BlockFolderOptions;

  constructor(options: BlockFolderOptions) {
    this.#options = options;
  }

  /** Opens the blocks, in position order. What they hold is checked when it is read. */
  async open(): Promise<BlockFile[]> {
    const { folder } = this.#options;
    await mkdir(folder, { recursive: true });
    const names = (await readdir(folder)).sort();
    for (const name of names.filter(isDraftFile)) await rm(join(folder, name));
    const files = names.filter(isBlockFile);
    const blocks: BlockFile[] = [];
    for (const [i, name] of files.entries()) {
      const next = await this.#openNext(name, blocks.at(-1) ?? null);
      if (typeof next !== 'string') {
        blocks.push(next);
        continue;
      }
      await this.drop(files.slice(i), next);
      break;
    }
    return blocks;
  }

  /** Removes files, the first of which cannot be used for this reason. */
  async drop(names: readonly string[], reason: string): Promise<void> {
    this.#options.warn(
      { block: names[0], reason, dropped: names.length },
      'read store: a block cannot be used; it and all later ones are built again from the log',
    );
    await this.#remove(names);
  }

  async #openNext(name: string, previous: BlockFile | null): Promise<BlockFile | string> {
    const opened = await openBlock(join(this.#options.folder, name), this.#options);
    if (opened.kind === 'damaged') return opened.reason;
    const { header } = opened.block;
    const expected = (previous?.header.lastPosition ?? 0) + 1;
    if (header.firstPosition !== expected)
      return `it begins at position ${header.firstPosition} where ${expected} is due`;
    if (previous !== null && !header.logId.equals(previous.header.logId))
      return 'it is of another log than the block before it';
    return opened.block;
  }

  /** Writes a tail that takes no more rows as a block and opens it. Throws `storage_full` with the reason when the disk refuses. */
  async write(tail: Tail, logId: Buffer): Promise<BlockFile> {
    try {
      const { folder, writeBlock } = this.#options;
      const path = await writeBlock({ folder, content: contentOf(tail), logId });
      const opened = await openBlock(path, this.#options);
      if (opened.kind === 'block') return opened.block;
      throw problem(
        'read_store_damaged',
        `A block was damaged while it was written: ${opened.reason}.`,
      );
    } catch (error) {
      throw toStorageProblem(error, this.#options.folder);
    }
  }

  /** Removes all blocks, the newest first, so that what a crash leaves is a sequence without a gap. */
  async clear(): Promise<void> {
    const names = await readdir(this.#options.folder);
    await this.#remove(names.filter((name) => isBlockFile(name) || isDraftFile(name)).sort());
  }

  async #remove(names: readonly string[]): Promise<void> {
    for (const name of names.toReversed())
      await rm(join(this.#options.folder, name), { force: true });
  }
}

function toStorageProblem(error: unknown, folder: string): unknown {
  if (!isNativeError(error) || !('syscall' in error)) return error;
  return problem(
    'storage_full',
    `The read store cannot write to ${folder}: ${error.message}. Free space or repair the disk; writing is tried again.`,
    {},
    error,
  );
}
