/**
 * The real disk: a folder of the file system through `node:fs`. Raw descriptors with callbacks, because one `fdatasync` through a file
 * handle costs a second hop. Measured on ext4 with 16 KiB reads and 360-byte writes: a blocking read from the page cache takes 2 us where the
 * thread pool takes 70 us, and a blocking fdatasync saves 65 us of 230 us; hence the `...Now` calls of the port.
 *
 * libuv turns `fdatasync` into F_FULLFSYNC on macOS and FlushFileBuffers on Windows, so it means the same everywhere.
 */
import fs from 'node:fs';
import { join } from 'node:path';
import { filesIn, makeFolder, syncFolder } from '@allsource/service-kit/files';
import { assert } from '@allsource/shared/lang';
import type { Disk, DiskFile, OpenMode } from './disk.ts';
import { StepsInFlight } from './steps-in-flight.ts';

/**
 * Zeros are written and synced in steps, so that the sync of an append never waits long behind them: with steps of 8 MiB the 99th percentile of such a sync is 5 ms, with
 * 1 MiB it is 1 ms.
 */
const FILL_BYTES = 512 * 1024;
/**
 * Steps that run at once. Each takes a turn of the event loop, which is busy when segments are used up quickly, and the disk would be idle meanwhile: with one step of 1 MiB at a
 * time the next segment is late at 200 MB/s of appends, and the roll waits for it (docs/decisions/0030-background-work-in-leftover-time.md). One of the four threads of the pool is left for the syncs of appends.
 */
const FILLS_AT_ONCE = 3;
/** Write and sync are one call of the thread pool. Where the system has no such writes (Windows), the sync at the end has more to do. */
const FILL_FLAGS =
  fs.constants.O_WRONLY | ((fs.constants as { readonly O_DSYNC?: number }).O_DSYNC ?? 0);
/** What is written over and over; small enough to stay in a processor's cache. */
const ZEROS = new Uint8Array(256 * 1024);
const READ_ONLY = 0o444;

/** A {@link Disk} in a folder, which is made by `makeFolder('')` if it is missing. */
export class NodeDisk implements Disk {
  readonly #root: string;
  readonly #fileMode: number;

  /** `fileMode`: who may do what with the files that are made; the process's mask applies. */
  constructor(root: string, { fileMode = 0o666 }: { readonly fileMode?: number } = {}) {
    this.#root = root;
    this.#fileMode = fileMode;
  }

  list(folder: string): Promise<string[]> {
    return filesIn(this.#path(folder));
  }

  makeFolder(folder: string): Promise<void> {
    return makeFolder(this.#path(folder));
  }

  async create(name: string): Promise<DiskFile> {
    return new NodeDiskFile(this.#path(name), 'wx+', this.#fileMode);
  }

  async open(name: string, mode: OpenMode): Promise<DiskFile> {
    return new NodeDiskFile(this.#path(name), mode === 'read' ? 'r' : 'r+');
  }

  async rename(from: string, to: string): Promise<void> {
    await fs.promises.rename(this.#path(from), this.#path(to));
  }

  async unlink(name: string): Promise<void> {
    await fs.promises.unlink(this.#path(name));
  }

  async protect(name: string): Promise<void> {
    await fs.promises.chmod(this.#path(name), READ_ONLY);
  }

  syncFolder(folder: string): Promise<void> {
    return syncFolder(this.#path(folder));
  }

  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await fs.promises.statfs(this.#root);
    return bavail * bsize;
  }

  #path(name: string): string {
    return join(this.#root, name);
  }
}

class NodeDiskFile implements DiskFile {
  readonly #path: string;
  readonly #openDescriptor: number;
  /** Calls in the thread pool. The descriptor stays open under them: its number may be another file's the moment it is closed. */
  readonly #pending = new Set<Promise<unknown>>();
  #isClosed = false;

  constructor(path: string, flags: string, mode?: number) {
    this.#path = path;
    this.#openDescriptor = fs.openSync(path, flags, mode);
  }

  get #descriptor(): number {
    assert(!this.#isClosed, `${this.#path} is open`);
    return this.#openDescriptor;
  }

  async #inPool<T>(call: (done: (error: Error | null, value: T) => void) => void): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    this.#pending.add(promise);
    try {
      call((error, value) => (error === null ? resolve(value) : reject(error)));
      return await promise;
    } finally {
      this.#pending.delete(promise);
    }
  }

  async size(): Promise<number> {
    return fs.fstatSync(this.#descriptor).size;
  }

  writeNow(parts: readonly Uint8Array[], offset: number): void {
    const total = parts.reduce((sum, part) => sum + part.length, 0);
    let written = fs.writevSync(this.#descriptor, parts, offset);
    if (written === total) return;
    // A short write means that a signal or the end of the space cut it; the next call names the reason.
    const bytes = Buffer.concat(parts);
    while (written < total)
      written += fs.writeSync(this.#descriptor, bytes, written, total - written, offset + written);
  }

  async read(target: Buffer, offset: number): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      const bytes = await this.#readSome(target.subarray(filled), offset + filled);
      if (bytes === 0) break;
      filled += bytes;
    }
    return filled;
  }

  #readSome(target: Buffer, offset: number): Promise<number> {
    return this.#inPool((done) =>
      fs.read(this.#descriptor, target, 0, target.length, offset, done),
    );
  }

  readNow(target: Buffer, offset: number): number {
    let filled = 0;
    while (filled < target.length) {
      const bytes = fs.readSync(
        this.#descriptor,
        target,
        filled,
        target.length - filled,
        offset + filled,
      );
      if (bytes === 0) break;
      filled += bytes;
    }
    return filled;
  }

  datasync(): Promise<void> {
    return this.#inPool<void>((done) =>
      fs.fdatasync(this.#descriptor, (error) => done(error, undefined)),
    );
  }

  datasyncNow(): void {
    fs.fdatasyncSync(this.#descriptor);
  }

  async fillWithZeros(
    bytes: number,
    turn: (bytes: number) => Promise<boolean> | boolean,
  ): Promise<boolean> {
    const from = await this.size();
    this.#requireSpace(bytes - from);
    const descriptor = fs.openSync(this.#path, FILL_FLAGS);
    const steps = new StepsInFlight(FILLS_AT_ONCE);
    try {
      for (let at = from; at < bytes; at += FILL_BYTES) {
        if (!(await turn(at))) return false;
        await steps.add(this.#writeZeros(descriptor, at, Math.min(at + FILL_BYTES, bytes)));
      }
      await steps.end();
    } finally {
      await steps.settled();
      fs.closeSync(descriptor);
    }
    await this.datasync();
    return true;
  }

  // Filling a disk to the brim only to find that the last megabyte is missing would take the space from everybody else for a while.
  #requireSpace(bytes: number): void {
    const { bavail, bsize } = fs.statfsSync(this.#path);
    if (bavail * bsize >= bytes) return;
    throw Object.assign(
      new RangeError(
        `ENOSPC: ${bytes} bytes are needed for ${this.#path} and ${bavail * bsize} are free`,
      ),
      { code: 'ENOSPC' },
    );
  }

  /** Writes zeros to a stretch of the file. */
  async #writeZeros(descriptor: number, from: number, end: number): Promise<void> {
    for (let at = from; at < end; ) {
      const parts = zeros(end - at);
      at += await this.#inPool<number>((done) => fs.writev(descriptor, parts, at, done));
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await Promise.allSettled(this.#pending);
    fs.closeSync(this.#openDescriptor);
  }
}

/** Zeros for one write: so many bytes. */
function zeros(bytes: number): Uint8Array[] {
  const parts = Array.from({ length: Math.floor(bytes / ZEROS.length) }, () => ZEROS);
  const rest = bytes % ZEROS.length;
  return rest > 0 ? [...parts, ZEROS.subarray(0, rest)] : parts;
}
