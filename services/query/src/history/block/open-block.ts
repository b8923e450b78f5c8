import { open } from 'node:fs/promises';
import type { BlockCache } from './block-cache.ts';
import { BlockFile } from './block-file.ts';
import { decodeHeader } from './block-format.ts';
import { prepareDecompression } from './decompress.ts';

const HEADER_READ_BYTES = 1024;

/** A block, or in words why the file is none that can be used. */
export type OpenedBlock =
  | { readonly kind: 'block'; readonly block: BlockFile }
  | { readonly kind: 'damaged'; readonly reason: string };

export interface OpenBlockOptions {
  readonly cache: BlockCache;
  readonly onDamage: (block: BlockFile, reason: string) => void;
}

/** Opens a block file: checks its header and its length. Whatever is read of it later is checked then. */
export async function openBlock(path: string, options: OpenBlockOptions): Promise<OpenedBlock> {
  await prepareDecompression();
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    const head = Buffer.alloc(Math.min(HEADER_READ_BYTES, size));
    await file.read(head, 0, head.length, 0);
    const header = decodeHeader(head);
    if (typeof header === 'string') return { kind: 'damaged', reason: header };
    if (header.fileBytes !== size)
      return { kind: 'damaged', reason: `it has ${size} bytes instead of ${header.fileBytes}` };
    return { kind: 'block', block: new BlockFile({ path, header, ...options }) };
  } finally {
    await file.close();
  }
}
