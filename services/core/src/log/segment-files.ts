/**
 * The segment files that readers have open. A reader leases the file of the segment it is in; files that nobody leases are kept open for the
 * next reader, at most {@link IDLE_FILES_MAX} of them, and the one not used for longest is closed first. Readers have handles of their own, so
 * they go on when the writer has stopped.
 */
import { problem } from '@allsource/shared/errors';
import type { Disk, DiskFile } from '../storage/disk.ts';
import type { ByteSource } from './frame-walk.ts';

/** 4 GiB of log at the default segment size stay open; far below the usual limit of 1,024 files of a process. */
const IDLE_FILES_MAX = 64;

/** A file to read from until it is released. */
export interface SegmentLease extends ByteSource {
  release(): Promise<void>;
}

interface OpenFile {
  readonly file: Promise<DiskFile>;
  leases: number;
}

export class SegmentFiles {
  readonly #disk: Disk;
  /** By name, the one used last at the end. */
  readonly #files = new Map<string, OpenFile>();
  #isClosed = false;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Leases the file of a segment. Throws `shutting_down` when the store has been closed. */
  async lease(name: string): Promise<SegmentLease> {
    this.#requireOpen();
    const open = this.#files.get(name) ?? { file: this.#disk.open(name, 'read'), leases: 0 };
    this.#files.delete(name);
    this.#files.set(name, open);
    open.leases += 1;
    try {
      const file = await open.file;
      return {
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

  #requireOpen(): void {
    if (this.#isClosed) throw problem('shutting_down', 'The log has been closed; connect again.');
  }

  async #release(open: OpenFile): Promise<void> {
    open.leases -= 1;
    if (this.#files.size <= IDLE_FILES_MAX) return;
    for (const [name, idle] of this.#files) {
      if (idle.leases > 0) continue;
      this.#files.delete(name);
      await closeFile(idle);
      return;
    }
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
