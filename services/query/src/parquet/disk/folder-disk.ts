import fs from 'node:fs';
import { platform } from 'node:os';
import { dirname, join } from 'node:path';
import type { ParquetDisk, ParquetDiskFile } from './parquet-disk.ts';

/** The real disk: a folder of the file system. */
export class FolderDisk implements ParquetDisk {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async list(folder: string): Promise<string[]> {
    const path = this.#path(folder);
    if (!fs.existsSync(path)) return [];
    const entries = await fs.promises.readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  }

  async makeFolder(folder: string): Promise<void> {
    const path = this.#path(folder);
    const firstMade = await fs.promises.mkdir(path, { recursive: true });
    if (firstMade === undefined) return;
    // Each folder on the way down is a name in the one above it.
    for (let made = path; made.length >= firstMade.length; made = dirname(made))
      await syncFolderAt(dirname(made));
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
    return syncFolderAt(this.#path(folder));
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

// Windows cannot sync a folder; its file system journals names by itself.
async function syncFolderAt(path: string): Promise<void> {
  if (platform() === 'win32') return;
  const handle = await fs.promises.open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
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
