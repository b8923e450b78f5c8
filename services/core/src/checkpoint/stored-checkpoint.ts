/**
 * A checkpoint file that is read at a start. Its two ends are read and checked first, so a damaged, foreign or cut file is known before any state is touched;
 * the parts are verified one by one before a section gets them. Whatever is wrong is an `UnusableCheckpoint`.
 */
import { crc32 } from 'node:zlib';
import type { Micros } from '@allsource/shared/model';
import {
  type CheckpointSection,
  type SavedState,
  UnusableCheckpoint,
} from '../storage/checkpoint-port.ts';
import { asError, type Disk, type DiskFile, diskErrorCode } from '../storage/disk.ts';
import type { LogAnchor } from '../storage/log-store.ts';
import {
  CHECKPOINT_HEADER_BYTES,
  CHECKPOINT_TRAILER_BYTES,
  type CheckpointHeader,
  type CheckpointTrailer,
  decodeCheckpointHeader,
  decodeCheckpointTrailer,
  decodePartHeader,
  isWholePart,
  PART_HEADER_BYTES,
} from './checkpoint-format.ts';

/** Fits in a processor's cache; a part may be larger. */
const MEMORY_BYTES_AT_FIRST = 1024 * 1024;

interface Ends {
  readonly headerBytes: Buffer;
  readonly header: CheckpointHeader;
  readonly trailer: CheckpointTrailer;
}

interface Part {
  readonly section: string;
  readonly header: Buffer;
  readonly bytes: Buffer;
}

export class StoredCheckpoint implements SavedState {
  readonly name: string;
  readonly anchor: LogAnchor;
  readonly recordedAt: Micros;
  readonly through: LogAnchor;
  readonly bytes: number;
  readonly #disk: Disk;
  readonly #ends: Ends;

  private constructor(disk: Disk, name: string, ends: Ends) {
    const { header, trailer } = ends;
    const { logId, position, checksum, recordedAt } = header;
    this.#disk = disk;
    this.#ends = ends;
    this.name = name;
    this.anchor = { logId, position, checksum };
    this.recordedAt = recordedAt;
    this.through = {
      logId,
      position: trailer.throughPosition,
      checksum: trailer.throughChecksum,
    };
    this.bytes = trailer.fileBytes;
  }

  /** Reads the two ends of a file. Throws `UnusableCheckpoint`. */
  static async open(disk: Disk, name: string): Promise<StoredCheckpoint> {
    return withFile(
      disk,
      name,
      async (file) => new StoredCheckpoint(disk, name, await endsOf(file)),
    );
  }

  async loadInto(sections: readonly CheckpointSection[]): Promise<void> {
    const byName = new Map(sections.map((section) => [section.sectionName, section]));
    const seen = new Set<string>();
    await withFile(this.#disk, this.name, async (file) => {
      for (const { section, bytes } of partsOf(file, this.#ends)) {
        seen.add(section);
        byName.get(section)?.load(bytes);
      }
    });
    for (const name of byName.keys())
      if (!seen.has(name)) throw new UnusableCheckpoint(`it has no section ${name}`);
  }
}

/** Calls with an open file; whatever goes wrong makes the checkpoint unusable. */
async function withFile<T>(
  disk: Disk,
  name: string,
  use: (file: DiskFile) => Promise<T>,
): Promise<T> {
  try {
    const file = await disk.open(name, 'read');
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  } catch (thrown) {
    if (thrown instanceof UnusableCheckpoint) throw thrown;
    const what = diskErrorCode(thrown) === null ? 'it makes no sense' : 'it cannot be read';
    throw new UnusableCheckpoint(`${what} (${asError(thrown).message})`, { cause: thrown });
  }
}

async function endsOf(file: DiskFile): Promise<Ends> {
  const fileBytes = await file.size();
  const headerBytes = await bytesAt(file, 0, CHECKPOINT_HEADER_BYTES);
  const header = decodeCheckpointHeader(headerBytes);
  if (header === null) throw new UnusableCheckpoint('it does not begin as format 1 does');
  const trailerAt = Math.max(0, fileBytes - CHECKPOINT_TRAILER_BYTES);
  const trailer = decodeCheckpointTrailer(await bytesAt(file, trailerAt, CHECKPOINT_TRAILER_BYTES));
  if (trailer === null || trailer.fileBytes !== fileBytes)
    throw new UnusableCheckpoint('it does not end as format 1 does');
  return { headerBytes, header, trailer };
}

async function bytesAt(file: DiskFile, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  return bytes.subarray(0, await file.read(bytes, offset));
}

/**
 * The parts, each verified; one is good until the next is drawn. All are read into the same memory, blocking: nothing else runs at a start, and the system
 * reads ahead by itself.
 */
function* partsOf(file: DiskFile, { headerBytes, trailer }: Ends): Generator<Part> {
  const end = trailer.fileBytes - CHECKPOINT_TRAILER_BYTES;
  const reader = new PartReader(file, end);
  let headersChecksum = crc32(headerBytes);
  for (let at = CHECKPOINT_HEADER_BYTES; at < end; ) {
    const part = reader.readAt(at);
    headersChecksum = crc32(part.header, headersChecksum);
    at += PART_HEADER_BYTES + part.bytes.length;
    yield part;
  }
  if (headersChecksum !== trailer.headersChecksum)
    throw new UnusableCheckpoint('its parts are not those that it was written with');
}

class PartReader {
  readonly #file: DiskFile;
  readonly #end: number;
  #memory: Buffer = Buffer.allocUnsafeSlow(MEMORY_BYTES_AT_FIRST);
  /** Which bytes of the file the memory holds. */
  #from = 0;
  #bytes: Buffer = this.#memory.subarray(0, 0);

  constructor(file: DiskFile, end: number) {
    this.#file = file;
    this.#end = end;
  }

  readAt(at: number): Part {
    const header = this.#take(at, PART_HEADER_BYTES);
    const { section, bytes: length } = decodePartHeader(header);
    const whole = this.#take(at, PART_HEADER_BYTES + length);
    const part = {
      section,
      header: whole.subarray(0, PART_HEADER_BYTES),
      bytes: whole.subarray(PART_HEADER_BYTES),
    };
    if (isWholePart(part.header, part.bytes)) return part;
    throw new UnusableCheckpoint(`the part of ${section} at byte ${at} is damaged`);
  }

  #take(at: number, length: number): Buffer {
    if (at + length > this.#end)
      throw new UnusableCheckpoint(`the part at byte ${at} passes the end`);
    const start = at - this.#from;
    if (start + length <= this.#bytes.length) return this.#bytes.subarray(start, start + length);
    if (length > this.#memory.length) this.#memory = Buffer.allocUnsafeSlow(length);
    const read = this.#file.readNow(this.#memory.subarray(0, this.#end - at), at);
    this.#from = at;
    this.#bytes = this.#memory.subarray(0, read);
    if (read < length) throw new UnusableCheckpoint(`it ends at byte ${at + read}`);
    return this.#bytes.subarray(0, length);
  }
}
