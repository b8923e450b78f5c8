/**
 * A torn tail is what a crash leaves of an append that nobody was told had succeeded. It is kept for whoever wants to look, in a file of its own that is
 * durable first, and only then zeroed in the segment; so a crash at any point leaves the bytes in one place at least, and the next open does
 * the same again. A file of an earlier attempt is never overwritten.
 */
import type { Disk, DiskFile } from '../storage/disk.ts';
import { SEGMENT_SUFFIX } from './segment.ts';

export const TORN_FOLDER = 'torn';
const COPY_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(COPY_BYTES);

/** Bytes of a segment that are to be taken out of the log. */
export interface TornTail {
  readonly segment: string;
  readonly offset: number;
  /** The offset behind the last byte that is not zero. */
  readonly endOffset: number;
}

/** Copies a torn tail to a file of its own and zeroes it. Returns the name of the copy. */
export async function setTornTailAside(disk: Disk, torn: TornTail): Promise<string> {
  const segment = await disk.open(torn.segment, 'write');
  try {
    const copyName = await copyAside(disk, torn, segment);
    zeroRange(segment, torn.offset, torn.endOffset);
    await segment.datasync();
    return copyName;
  } finally {
    await segment.close();
  }
}

async function copyAside(disk: Disk, torn: TornTail, segment: DiskFile): Promise<string> {
  await disk.makeFolder(TORN_FOLDER);
  const name = await freeName(disk, torn);
  const copy = await disk.create(name);
  try {
    for (let at = torn.offset; at < torn.endOffset; at += COPY_BYTES) {
      const bytes = Buffer.allocUnsafe(Math.min(COPY_BYTES, torn.endOffset - at));
      const length = await segment.read(bytes, at);
      copy.writeNow([bytes.subarray(0, length)], at - torn.offset);
    }
    await copy.datasync();
  } finally {
    await copy.close();
  }
  await disk.syncFolder(TORN_FOLDER);
  return name;
}

async function freeName(disk: Disk, torn: TornTail): Promise<string> {
  const taken = new Set(await disk.list(TORN_FOLDER));
  const stem = `${torn.segment.slice(0, -SEGMENT_SUFFIX.length)}-${torn.offset}`;
  let name = `${stem}.bin`;
  for (let attempt = 2; taken.has(name); attempt++) name = `${stem}-${attempt}.bin`;
  return `${TORN_FOLDER}/${name}`;
}

/** Writes zeros over a range of a file; durable with the file's next datasync. */
export function zeroRange(file: DiskFile, from: number, to: number): void {
  for (let at = from; at < to; at += COPY_BYTES)
    file.writeNow([ZEROS.subarray(0, Math.min(COPY_BYTES, to - at))], at);
}
