/**
 * Decompresses zstd. A call of Node's own takes 17 us before it does anything, for it makes a stream of it; the decoder in WebAssembly takes one or two, and half as long again for the work itself. So what
 * is short goes there. Its memory grows to what it has met and never shrinks, which is another reason to give it nothing large.
 */
import { zstdDecompressSync } from 'node:zlib';
import { ZSTDDecoder } from 'zstddec';

const SHORT_BYTES_MAX = 64 * 1024;
const OUTPUT_BYTES_MIN = 1024;

const decoder = new ZSTDDecoder();

/** Makes the decoder ready; whoever opens a block waits for it. */
export async function prepareDecompression(): Promise<void> {
  await decoder.init();
}

/** What was compressed in one frame, of at most `bytesMax`. `stored` has passed its checksum; whoever knows the exact length looks at that too. */
export function decompress(stored: Buffer, bytesMax: number): Buffer {
  if (bytesMax > SHORT_BYTES_MAX)
    return zstdDecompressSync(stored, { chunkSize: bytesMax + OUTPUT_BYTES_MIN });
  const { buffer, byteOffset, byteLength } = decoder.decode(stored, bytesMax);
  return Buffer.from(buffer, byteOffset, byteLength);
}
