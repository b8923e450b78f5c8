import type { Disk } from '../storage/disk.ts';

/** The formats of segments, raw and sealed, that this version reads. */
export const SEGMENT_FORMATS: readonly string[] = ['ASG1', 'ASZ1'];
const MAGIC_BYTES = 4;

/** True when a file says by its first bytes that it is a segment, of another format version. */
export async function isOtherFormat(disk: Disk, name: string): Promise<boolean> {
  const file = await disk.open(name, 'read');
  try {
    const bytes = Buffer.alloc(MAGIC_BYTES);
    await file.read(bytes, 0);
    const magic = bytes.toString('latin1');
    return /^AS[GZ][0-9A-Za-z]$/.test(magic) && !SEGMENT_FORMATS.includes(magic);
  } finally {
    await file.close();
  }
}
