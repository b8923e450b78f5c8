import { must } from '@allsource/shared/lang';
import { segmentAt } from '../tail/tail-text.ts';
import type { BlockContent } from './block-content.ts';

/**
 * A read decompresses whole chunks; one of these takes 5 to 20 us. With the rows of an entity side by side they take no more of the disk than chunks of 192 KiB in the order of the log. Smaller ones would
 * take longer to write than the log comes in.
 */
const CHUNK_BYTES = 16 * 1024;

/** What the texts of a block are made of. */
export type BlockTextContent = Pick<
  BlockContent,
  'text' | 'textOffsets' | 'payloadBytes' | 'metadataBytes'
>;

/** The texts of rows in an order of rows, cut into chunks: the payload of each and its metadata behind it. No row's text lies in two chunks. */
export function* textChunks(content: BlockTextContent, rows: Uint32Array): Generator<Buffer> {
  const { text, textOffsets } = content;
  for (let start = 0; start < rows.length; ) {
    let end = start;
    let bytes = 0;
    while (end < rows.length && bytes < CHUNK_BYTES)
      bytes += textBytesOf(content, rows[end++] as number);
    const chunk = Buffer.allocUnsafe(bytes);
    let at = 0;
    for (; start < end; start++) {
      const row = rows[start] as number;
      const offset = must(textOffsets[row], 'a row of the block');
      const segment = segmentAt(text, offset);
      const from = offset - segment.start;
      const length = textBytesOf(content, row);
      chunk.set(segment.bytes.subarray(from, from + length), at);
      at += length;
    }
    yield chunk;
  }
}

/** The bytes of a row's text. */
export function textBytesOf(
  {
    payloadBytes,
    metadataBytes,
  }: { readonly payloadBytes: Uint32Array; readonly metadataBytes: Uint32Array },
  row: number,
): number {
  return (payloadBytes[row] as number) + (metadataBytes[row] as number);
}
