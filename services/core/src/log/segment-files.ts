/**
 * The segment files that readers have open. A reader leases the file of the segment it is in; files that nobody leases are kept open for the
 * next reader, at most {@link IDLE_FILES_MAX} of them, and the one not used for longest is closed first. Readers have handles of their own, so
 * they go on when the writer has stopped.
 */
import { problem } from '@allsource/shared/errors';
import { type Disk, type DiskFile, diskErrorCode } from '../storage/disk.ts';
import { BlockCache } from './block-cache.ts';
import type { ByteSource } from './frame-walk.ts';
import { SealedFile } from './sealed-file.ts';
import { SEALED_SUFFIX, sealedNameOf } from './sealed-format.ts';

/** 16 GiB of log at the default segment size stay open; a quarter of the usual limit of 1,024 files of a process. The index of a sealed one takes 64 KiB. */
const IDLE_FILES_MAX = 256;
const BLOCK_CACHE_BYTES_MAX = 32 * 1024 * 1024;

/** A file to read from until it is released. Offsets are those of the raw segment, also where the file is a sealed one. */
export interface SegmentLease extends ByteSource {
  /** The file, where it is a sealed one. */
  readonly sealed: SealedFile | null;
  release(): Promise<void>;
}

interface OpenFile {
  readonly file: Promise<DiskFile | SealedFile>;
  leases: number;
  isForgotten: boolean;
}

export class SegmentFiles {
  readonly #disk: Disk;
  /** By name, the one used last at the end. */
  readonly #files = new Map<string, OpenFile>();
  readonly #blocks: BlockCache;
  #isClosed = false;

  /** Called with the bytes of buffers that are garbage a moment later, for whoever sees to their collection. */
  readonly onShortLived: (bytes: number) => void;

  constructor(disk: Disk, onShortLived: (bytes: number) => void = () => undefined) {
    this.onShortLived = onShortLived;
    this.#disk = disk;
    this.#blocks = new BlockCache(BLOCK_CACHE_BYTES_MAX, onShortLived);
  }

  /** Leases the file of a segment. Throws `shutting_down` when the store has been closed. */
  async lease(name: string): Promise<SegmentLease> {
    this.#requireOpen();
    const open = this.#files.get(name) ?? {
      file: this.#open(name),
      leases: 0,
      isForgotten: false,
    };
    this.#files.delete(name);
    this.#files.set(name, open);
    open.leases += 1;
    try {
      const file = await open.file;
      return {
        sealed: file instanceof SealedFile ? file : null,
        read: async (target, offset) => {
          this.#requireOpen();
          return file.read(target, offset);
        },
        readNow: (target, offset) => {
          this.#requireOpen();
          return file.readNow(target, offset);
        },
        release: () => this.#release(open),
      };
    } catch (thrown) {
      this.#files.delete(name);
      throw thrown;
    }
  }

  // A store that was fenced goes on reading what its successor may have sealed meanwhile.
  async #open(name: string): Promise<DiskFile | SealedFile> {
    if (name.endsWith(SEALED_SUFFIX)) return SealedFile.open(this.#disk, name, this.#blocks);
    try {
      return await this.#disk.open(name, 'read');
    } catch (thrown) {
      if (diskErrorCode(thrown) !== 'ENOENT') throw thrown;
      return SealedFile.open(this.#disk, sealedNameOf(name), this.#blocks);
    }
  }

  #requireOpen(): void {
    if (this.#isClosed) throw problem('shutting_down', 'The log has been closed; connect again.');
  }

  async #release(open: OpenFile): Promise<void> {
    open.leases -= 1;
    if (open.isForgotten && open.leases === 0) await closeFile(open);
    if (this.#files.size <= IDLE_FILES_MAX) return;
    for (const [name, idle] of this.#files) {
      if (idle.leases > 0) continue;
      this.#files.delete(name);
      await closeFile(idle);
      return;
    }
  }

  /** Closes the file of a segment that is to go, at once or when the last reader has left it. */
  async forget(name: string): Promise<void> {
    const open = this.#files.get(name);
    if (open === undefined) return;
    this.#files.delete(name);
    open.isForgotten = true;
    if (open.leases === 0) await closeFile(open);
  }

  /** Closes all files, also those on lease: their readers' next read fails. May be called twice. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const files = [...this.#files.values()];
    this.#files.clear();
    for (const open of files) await closeFile(open);
  }
}

async function closeFile(open: OpenFile): Promise<void> {
  const file = await open.file;
  await file.close();
}
