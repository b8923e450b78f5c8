/**
 * The port under the file log: the few things it asks of a file system, so that a simulating disk (synced and unsynced bytes apart,
 * torn and reordered writes, an error at the N-th call) can stand in for the real one.
 *
 * Names are relative to the disk's root and use `/`. What a disk promises, and all that the log relies on:
 *   - bytes that `write` took are read back at once by every handle of the file, and survive a crash of the process;
 *   - they survive a loss of power, with the file's length, once `datasync` of the same handle has returned. Until then each sector of 512 bytes may
 *     be old or new, in any combination;
 *   - `create`, `rename` and `unlink` survive a loss of power once `syncFolder` of their folder has returned.
 *
 * Failures are thrown as errors with the operating system's `code`: ENOENT, EEXIST, ENOSPC, EDQUOT, EMFILE, EIO. After a failed datasync the
 * same handle is never synced again, because a kernel may report the lost pages as clean the next time.
 *
 * The `...Now` calls block the event loop. They exist for calls that end in the page cache (microseconds) and for the one sync that
 * a lone client waits for anyway.
 */
import { isNativeError } from 'node:util/types';

export interface DiskFile {
  /** The length in bytes. */
  size(): Promise<number>;
  /** Writes all parts end to end at `offset`, in one gathered write. When it throws, any of the bytes may have been written. */
  writeNow(parts: readonly Uint8Array[], offset: number): void;
  /** Fills `target` from `offset` and returns the number of bytes read, which is smaller only at the end of the file. */
  read(target: Buffer, offset: number): Promise<number>;
  readNow(target: Buffer, offset: number): number;
  /** Makes what was written durable. */
  datasync(): Promise<void>;
  datasyncNow(): void;
  /**
   * Grows the file to `bytes` with written zeros (no holes), beside other work, so that a later write inside needs no space and its
   * datasync touches no metadata. Durable when it resolves with true. Asks `turn` before each step, with the bytes that are written or being written; when that says
   * false, it stops there and resolves with false.
   */
  fillWithZeros(
    bytes: number,
    turn: (bytes: number) => Promise<boolean> | boolean,
  ): Promise<boolean>;
  /** Releases the handle. May be called twice. */
  close(): Promise<void>;
}

export type OpenMode = 'read' | 'write';

export interface Disk {
  /** The names of the files (not the folders) in a folder, in no order; `''` is the root. A folder that is missing has none. */
  list(folder: string): Promise<string[]>;
  /** Makes a folder and those above it, durably. It may exist already. */
  makeFolder(folder: string): Promise<void>;
  /** Makes an empty file for reading and writing. EEXIST when it exists. */
  create(name: string): Promise<DiskFile>;
  /** Opens a file. ENOENT when it is missing. Mode `write` reads and writes. */
  open(name: string, mode: OpenMode): Promise<DiskFile>;
  /** Renames a file, replacing one that has the new name. */
  rename(from: string, to: string): Promise<void>;
  unlink(name: string): Promise<void>;
  /** Marks a file read-only, as a guard against accidents. */
  protect(name: string): Promise<void>;
  /** Makes the names in a folder durable. */
  syncFolder(folder: string): Promise<void>;
  /** Bytes that may still be written; missing where nobody can tell. */
  freeBytes?(): Promise<number>;
}

/** The operating system's code of an error (`ENOENT`, ...), or null for any other thing thrown. */
export function diskErrorCode(thrown: unknown): string | null {
  return isNativeError(thrown) && 'code' in thrown && typeof thrown.code === 'string'
    ? thrown.code
    : null;
}

/** True for an error that says that the disk, or the user's share of it, is full. */
export function isOutOfSpace(thrown: unknown): boolean {
  const code = diskErrorCode(thrown);
  return code === 'ENOSPC' || code === 'EDQUOT';
}

/** True for an error that says that the process or the machine has no file handle or no memory to give for the moment. */
export function isShortage(thrown: unknown): boolean {
  const code = diskErrorCode(thrown);
  return code === 'EMFILE' || code === 'ENFILE' || code === 'ENOMEM';
}

/** What was thrown, as an error. Node throws errors only; anything else is printed. */
export function asError(thrown: unknown): Error {
  return isNativeError(thrown) ? thrown : new TypeError(`thrown: ${String(thrown)}`);
}
