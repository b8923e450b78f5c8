import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { BlockCache } from './block-cache.ts';
import { BlockFile } from './block-file.ts';
import { type BlockHeader, decodeHeader } from './block-format.ts';

const HEADER_READ_BYTES = 4096;

/** A block, or in words why the file is none that can be used. */
export type OpenedBlock =
  | { readonly kind: 'block'; readonly block: BlockFile }
  | { readonly kind: 'damaged'; readonly reason: string };

export interface OpenBlockOptions {
  readonly cache: BlockCache;
  readonly onDamage: (block: BlockFile, reason: string) => void;
}

/** Opens a block file: checks its header, its length and the checksums of all its columns. */
export async function openBlock(path: string, options: OpenBlockOptions): Promise<OpenedBlock> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const head = Buffer.alloc(Math.min(HEADER_READ_BYTES, size));
    await file.read(head, 0, head.length, 0);
    const header = decodeHeader(head);
    if (typeof header === 'string') return { kind: 'damaged', reason: header };
    if (header.fileBytes !== size)
      return { kind: 'damaged', reason: `it has ${size} bytes instead of ${header.fileBytes}` };
    const columns = Buffer.alloc(header.textOffset);
    await file.read(columns, 0, columns.length, 0);
    const reason = columnFault(header, columns);
    if (reason !== null) return { kind: 'damaged', reason };
    return { kind: 'block', block: new BlockFile({ path, header, ...options }) };
  } finally {
    await file.close();
  }
}

function columnFault(header: BlockHeader, bytes: Buffer): string | null {
  for (const [name, { offset, storedBytes, checksum }] of header.sections) {
    if (crc32(bytes.subarray(offset, offset + storedBytes)) !== checksum)
      return `the checksum of its section ${name} does not fit`;
  }
  return null;
}
