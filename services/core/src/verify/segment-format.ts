import type { Disk } from '../storage/disk.ts';

/** The format of segments that this version reads. */
export const SEGMENT_FORMAT = 'ASG1';

/** True when a file says by its first bytes that it is a segment, of another format version. */
export async function isOtherFormat(disk: Disk, name: string): Promise<boolean> {
  const file = await disk.open(name, 'read');
  try {
    const bytes = Buffer.alloc(SEGMENT_FORMAT.length);
    await file.read(bytes, 0);
    const magic = bytes.toString('latin1');
    return /^ASG[0-9A-Za-z]$/.test(magic) && magic !== SEGMENT_FORMAT;
  } finally {
    await file.close();
  }
}
