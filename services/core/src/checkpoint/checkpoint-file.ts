/** Writes one checkpoint file from a snapshot, beside the appends. */
import { setImmediate } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { Micros, Position } from '@allsource/shared/model';
import type { JournalSnapshot } from '../append/journal.ts';
import type { Disk, DiskFile } from '../storage/disk.ts';
import {
  encodeCheckpointHeader,
  encodeCheckpointTrailer,
  encodePartHeader,
  CHECKPOINT_TRAILER_BYTES,
} from './checkpoint-format.ts';

/** Synced so often, the page cache takes each write at once, and the sync of an append finds little of the checkpoint before it. */
const SYNC_EVERY_BYTES = 4 * 1024 * 1024;
/** After drawing so much, others have their turn. */
const TURN_BYTES = 32 * 1024;

/** A checkpoint that was written. */
export interface WrittenCheckpoint {
  readonly position: Position;
  readonly bytes: number;
}

/**
 * Writes and syncs a snapshot to a file that does not exist. Returns null when the snapshot has turned out to be worth nothing, for an append was refused in the
 * meantime. Throws what the disk throws. In both cases the file may be there in part.
 */
export async function writeCheckpointFile(
  snapshot: JournalSnapshot,
  to: { readonly disk: Disk; readonly name: string; readonly createdAt: Micros },
): Promise<WrittenCheckpoint | null> {
  const file = await to.disk.create(to.name);
  try {
    const writing = new CheckpointWriting(file);
    const { anchor, recordedAt } = snapshot;
    writing.begin(encodeCheckpointHeader({ ...anchor, recordedAt, createdAt: to.createdAt }));
    for (const { name, parts } of snapshot.sections)
      for (const part of parts) await writing.add(name, part);
    const through = await snapshot.settled();
    if (through === null) return null;
    const bytes = await writing.end(through);
    return { position: anchor.position, bytes };
  } finally {
    await file.close();
  }
}

class CheckpointWriting {
  readonly #file: DiskFile;
  #end = 0;
  #syncedEnd = 0;
  #turnEnd = 0;
  #headersChecksum = 0;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  begin(header: Buffer): void {
    this.#headersChecksum = crc32(header);
    this.#write([header]);
  }

  async add(section: string, part: Buffer): Promise<void> {
    const header = encodePartHeader(section, part);
    this.#headersChecksum = crc32(header, this.#headersChecksum);
    this.#write([header, part]);
    if (this.#end - this.#syncedEnd >= SYNC_EVERY_BYTES) await this.#sync();
    else if (this.#end - this.#turnEnd >= TURN_BYTES) await setImmediate();
    else return;
    this.#turnEnd = this.#end;
  }

  async end(through: { readonly position: Position; readonly checksum: number }): Promise<number> {
    const trailer = encodeCheckpointTrailer({
      throughPosition: through.position,
      throughChecksum: through.checksum,
      headersChecksum: this.#headersChecksum,
      fileBytes: this.#end + CHECKPOINT_TRAILER_BYTES,
    });
    this.#write([trailer]);
    await this.#sync();
    return this.#end;
  }

  #write(parts: readonly Buffer[]): void {
    this.#file.writeNow(parts, this.#end);
    for (const { length } of parts) this.#end += length;
  }

  async #sync(): Promise<void> {
    await this.#file.datasync();
    this.#syncedEnd = this.#end;
  }
}
