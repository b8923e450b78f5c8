import fs from 'node:fs';
import { join } from 'node:path';
import { filesIn, makeFolder, syncFolder } from '@allsource/service-kit/files';
import type { ParquetDisk, ParquetDiskFile } from './parquet-disk.ts';

/** The real disk: a folder of the file system. */
export class FolderDisk implements ParquetDisk {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  list(folder: string): Promise<string[]> {
    return filesIn(this.#path(folder));
  }

  makeFolder(folder: string): Promise<void> {
    return makeFolder(this.#path(folder));
  }

  async create(name: string): Promise<ParquetDiskFile> {
    return new FolderDiskFile(await fs.promises.open(this.#path(name), 'wx+'));
  }

  async open(name: string): Promise<ParquetDiskFile> {
    return new FolderDiskFile(await fs.promises.open(this.#path(name), 'r'));
  }

  rename(from: string, to: string): Promise<void> {
    return fs.promises.rename(this.#path(from), this.#path(to));
  }

  unlink(name: string): Promise<void> {
    return fs.promises.unlink(this.#path(name));
  }

  syncFolder(folder: string): Promise<void> {
    return syncFolder(this.#path(folder));
  }

  /** Bytes that may still be written. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await fs.promises.statfs(this.#root);
    return bavail * bsize;
  }

  #path(name: string): string {
    return join(this.#root, name);
  }
}

class FolderDiskFile implements ParquetDiskFile {
  readonly #handle: fs.promises.FileHandle;

  constructor(handle: fs.promises.FileHandle) {
    this.#handle = handle;
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  writeNow(parts: readonly Uint8Array[], offset: number): void {
    let at = offset;
    for (const part of parts)
      for (let done = 0; done < part.length; ) {
        const written = fs.writeSync(this.#handle.fd, part, done, part.length - done, at);
        done += written;
        at += written;
      }
  }

  async read(target: Buffer, offset: number): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      const { bytesRead } = await this.#handle.read(
        target,
        filled,
        target.length - filled,
        offset + filled,
      );
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return filled;
  }

  datasync(): Promise<void> {
    return this.#handle.datasync();
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}
