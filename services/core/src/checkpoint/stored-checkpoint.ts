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
      for await (const { section, bytes } of partsOf(file, this.#ends)) {
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

/** The parts, each verified. The next one is read while one is used. */
async function* partsOf(file: DiskFile, { headerBytes, trailer }: Ends): AsyncGenerator<Part> {
  const end = trailer.fileBytes - CHECKPOINT_TRAILER_BYTES;
  let headersChecksum = crc32(headerBytes);
  let header = await bytesAt(file, CHECKPOINT_HEADER_BYTES, PART_HEADER_BYTES);
  let at = CHECKPOINT_HEADER_BYTES + PART_HEADER_BYTES;
  let next = readPart(file, { header, at, end });
  try {
    while (at <= end) {
      const { part, following } = await next;
      headersChecksum = crc32(part.header, headersChecksum);
      at += part.bytes.length + PART_HEADER_BYTES;
      header = following;
      if (at <= end) next = readPart(file, { header, at, end });
      yield part;
    }
  } finally {
    // Whoever stops in the middle leaves a read under way, whose outcome concerns nobody.
    await Promise.allSettled([next]);
  }
  if (at !== end + PART_HEADER_BYTES || headersChecksum !== trailer.headersChecksum)
    throw new UnusableCheckpoint('its parts are not those that it was written with');
}

/** Reads the part behind a header, and the header behind the part. */
async function readPart(
  file: DiskFile,
  from: { readonly header: Buffer; readonly at: number; readonly end: number },
): Promise<{ readonly part: Part; readonly following: Buffer }> {
  const { header, at, end } = from;
  const { section, bytes: length } = decodePartHeader(header);
  if (at + length > end) throw new UnusableCheckpoint(`a part at byte ${at} passes the end`);
  const read = await bytesAt(file, at, length + PART_HEADER_BYTES);
  const bytes = read.subarray(0, length);
  if (!isWholePart(header, bytes))
    throw new UnusableCheckpoint(`the part of ${section} at byte ${at} is damaged`);
  return { part: { section, header, bytes }, following: read.subarray(length) };
}
