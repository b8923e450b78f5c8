/** The bytes of the blocks of a sealed segment: verified, and decompressed one by one or many in one call. */
import { crc32, zstdDecompressSync } from 'node:zlib';
import { diskErrorCode } from '../storage/disk.ts';
import { BLOCK_BYTES } from './sealed-format.ts';
import type { BlockPlace } from './sealed-index.ts';

/** A block is decompressed in one step when the chunk has room for it, which takes half of the time. Node allows no chunk below 64 bytes. */
const CHUNK_SLACK_BYTES = 64;

/** A damaged block, before it is told of: what is wrong with it. */
export class BlockFault extends Error {
  override readonly name = 'BlockFault';
}

/** Where a block should lie, and what was read there. */
export interface StoredBlock {
  readonly place: BlockPlace;
  readonly stored: Buffer;
}

/** A block that does not get smaller is stored as it is. */
export function isCompressed({ bytes, rawBytes }: BlockPlace): boolean {
  return bytes < rawBytes;
}

/** The raw bytes of a block, in memory of their own. Throws a {@link BlockFault}. */
export function decompressed(place: BlockPlace, stored: Buffer): Buffer {
  if (stored.length < place.bytes)
    throw new BlockFault(`a block has ${stored.length} of its ${place.bytes} bytes`);
  if (crc32(stored) !== place.checksum)
    throw new BlockFault('a block does not fit its checksum in the index');
  // What is kept must not hold on to the larger buffer that it may be a part of.
  if (stored.length === place.rawBytes) return Buffer.from(stored);
  const { rawBytes } = place;
  const bytes = inflated(stored, { rawBytes, chunkSize: rawBytes + CHUNK_SLACK_BYTES });
  if (bytes.length !== rawBytes)
    throw new BlockFault(`a block holds ${bytes.length} bytes in place of ${rawBytes}`);
  return bytes;
}

/**
 * The raw bytes of compressed blocks that follow one another in the same memory, in one call: the making of a decompressor costs as much as a block. Null when there is nothing to gain, or
 * anything is wrong with any of them, which is for that block by itself to say.
 */
export function decompressedTogether(blocks: readonly StoredBlock[]): Buffer | null {
  const [first] = blocks;
  if (first === undefined || blocks.length < 2 || !blocks.every(isWhole)) return null;
  const bytes = blocks.reduce((sum, { place }) => sum + place.bytes, 0);
  const rawBytes = blocks.reduce((sum, { place }) => sum + place.rawBytes, 0);
  const { buffer, byteOffset } = first.stored;
  try {
    // Node goes on behind the end of a block only where its chunk is full, and all blocks but the last have this length.
    const chunkSize = BLOCK_BYTES;
    const raw = inflated(Buffer.from(buffer, byteOffset, bytes), { rawBytes, chunkSize });
    return raw.length === rawBytes ? raw : null;
  } catch (thrown) {
    if (thrown instanceof BlockFault) return null;
    throw thrown;
  }
}

function isWhole({ place, stored }: StoredBlock): boolean {
  return stored.length === place.bytes && crc32(stored) === place.checksum;
}

function inflated(
  stored: Buffer,
  { rawBytes, chunkSize }: { readonly rawBytes: number; readonly chunkSize: number },
): Buffer {
  try {
    return zstdDecompressSync(stored, { chunkSize, maxOutputLength: rawBytes });
  } catch (thrown) {
    if (diskErrorCode(thrown) === null) throw thrown;
    throw new BlockFault('a block cannot be decompressed', { cause: thrown });
  }
}
