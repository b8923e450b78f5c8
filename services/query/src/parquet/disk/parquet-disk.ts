/**
 * The few things that the Parquet files ask of a file system, so that a simulating disk (synced and unsynced bytes apart, an error at the N-th call)
 * can stand in for the real one. Names are relative to the disk's root and use `/`.
 *
 * What a disk promises, and all that is relied on: bytes that were written are read back at once; they survive a loss of power once `datasync` of the
 * same handle has returned; `create`, `rename` and `unlink` survive one once `syncFolder` of their folder has returned.
 *
 * Failures are thrown as errors with the operating system's `code`.
 */
import { isNativeError } from 'node:util/types';

export interface ParquetDiskFile {
  /** The length in bytes. */
  size(): Promise<number>;
  /** Writes all parts end to end at `offset`. When it throws, any of the bytes may have been written. */
  writeNow(parts: readonly Uint8Array[], offset: number): void;
  /** Fills `target` from `offset` and returns the number of bytes read, which is smaller only at the end of the file. */
  read(target: Buffer, offset: number): Promise<number>;
  /** Makes what was written durable. */
  datasync(): Promise<void>;
  close(): Promise<void>;
}

export interface ParquetDisk {
  /** The names of the files (not the folders) in a folder, in no order. A folder that is missing has none. */
  list(folder: string): Promise<string[]>;
  /** Makes a folder and those above it, durably. It may exist already. */
  makeFolder(folder: string): Promise<void>;
  /** Makes an empty file for reading and writing. EEXIST when it exists. */
  create(name: string): Promise<ParquetDiskFile>;
  /** Opens a file for reading. ENOENT when it is missing. */
  open(name: string, mode: 'read'): Promise<ParquetDiskFile>;
  /** Renames a file, replacing one that has the new name. */
  rename(from: string, to: string): Promise<void>;
  unlink(name: string): Promise<void>;
  /** Makes the names in a folder durable. */
  syncFolder(folder: string): Promise<void>;
}

/** True for an error that says that a file is not there. */
export function isMissing(thrown: unknown): boolean {
  return isNativeError(thrown) && 'code' in thrown && thrown.code === 'ENOENT';
}

/** Removes a file that may be gone already. */
export async function removeFile(disk: ParquetDisk, name: string): Promise<void> {
  try {
    await disk.unlink(name);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

/** Reads a whole file; null when it is missing. For small files. */
export async function readWhole(disk: ParquetDisk, name: string): Promise<Buffer | null> {
  let file: ParquetDiskFile;
  try {
    file = await disk.open(name, 'read');
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
  try {
    const bytes = Buffer.alloc(await file.size());
    const read = await file.read(bytes, 0);
    return bytes.subarray(0, read);
  } finally {
    await file.close();
  }
}

const DRAFT_SUFFIX = '.draft';

/** True for a file that a crash has left unfinished. */
export const isDraft = (name: string): boolean => name.endsWith(DRAFT_SUFFIX);

export const draftOf = (name: string): string => name + DRAFT_SUFFIX;

/**
 * Gives a small file new content in one step: after a crash it has either the old content or the whole new one. Durable once the caller has synced
 * its folder. There is one writer, so a draft that exists is left over.
 */
export async function replaceWhole(
  disk: ParquetDisk,
  name: string,
  content: Uint8Array,
): Promise<void> {
  const draft = draftOf(name);
  await removeFile(disk, draft);
  const file = await disk.create(draft);
  try {
    file.writeNow([content], 0);
    await file.datasync();
  } finally {
    await file.close();
  }
  await disk.rename(draft, name);
}
