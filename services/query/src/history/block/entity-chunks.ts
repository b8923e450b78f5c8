import { segmentAt } from '../tail/tail-text.ts';
import type { BlockContent } from './block-content.ts';
import { ChunkEncoder, type EncodedChunk } from './chunk-format.ts';
import type { EntityRows } from './entity-rows.ts';

/**
 * A read decompresses whole chunks, so they are small. Smaller ones would take longer to write than the log comes in: each costs 20 us beside its bytes.
 */
const CHUNK_BYTES = 24 * 1024;
/** What a row and an entity take in a chunk beside texts, about: a chunk of many short texts is no larger than others. */
const ROW_BYTES = 16;
const ENTITY_BYTES = 32;

/** A chunk before it is compressed. Its bytes are there until the next one is drawn. */
export interface PlainChunk {
  readonly bytes: Buffer;
  readonly rowCount: number;
  /** The hashes of its first and last entity. */
  readonly firstHash: number;
  readonly lastHash: number;
}

/** The entities of a block in the order of their hashes. */
export interface OrderedEntities {
  /** Entity number in the block to that in the tail. */
  readonly order: Uint32Array;
  /** The rows by entity number in the block. */
  readonly byEntity: EntityRows;
}

/** Cuts the rows of a block into chunks, entity by entity. No row lies in two chunks. */
export function* entityChunks(
  content: BlockContent,
  { order, byEntity }: OrderedEntities,
): Generator<PlainChunk> {
  const encoder = new ChunkEncoder(content);
  const texts = new RowTexts(content);
  const { entityHashes, entityTenants, entityPartitions, entityNames, entityNameEnds } = content;
  const { starts, rows } = byEntity;
  let bytes = 0;
  let firstHash = 0;
  let lastHash = 0;
  for (let number = 0; number < order.length; number++) {
    const entity = order[number] as number;
    const hash = entityHashes[entity] as number;
    const ofEntity = {
      tenant: entityTenants[entity] as number,
      partition: entityPartitions[entity] as number,
      names: entityNames,
      start: entity === 0 ? 0 : (entityNameEnds[entity - 1] as number),
      end: entityNameEnds[entity] as number,
    };
    const last = starts[number + 1] as number;
    for (let first = starts[number] as number; first < last; ) {
      if (bytes === 0) firstHash = hash;
      bytes += ENTITY_BYTES;
      let end = first;
      do bytes += ROW_BYTES + texts.bytesOf(rows[end++] as number);
      while (end < last && bytes < CHUNK_BYTES);
      const piece = rows.subarray(first, end);
      encoder.addPiece(ofEntity, piece);
      texts.add(piece);
      first = end;
      lastHash = hash;
      if (bytes < CHUNK_BYTES) continue;
      yield { ...endedChunk(encoder, texts), firstHash, lastHash };
      bytes = 0;
    }
  }
  if (bytes > 0) yield { ...endedChunk(encoder, texts), firstHash, lastHash };
}

function endedChunk(encoder: ChunkEncoder, texts: RowTexts): EncodedChunk {
  const chunk = encoder.end(texts.bytes);
  texts.putInto(chunk.bytes, chunk.textsAt);
  return chunk;
}

/** The texts of the rows of a chunk, which are copied once, when the chunk is put together. */
class RowTexts {
  readonly #content: BlockContent;
  readonly #segments: readonly { readonly start: number; readonly bytes: Buffer }[];
  #pieces: Uint32Array[] = [];
  #bytes = 0;

  constructor(content: BlockContent) {
    this.#content = content;
    this.#segments = content.text.map(({ start, bytes }) => ({
      start,
      bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
    }));
  }

  /** Bytes of the texts of all rows since the last chunk. */
  get bytes(): number {
    return this.#bytes;
  }

  bytesOf(row: number): number {
    const { payloadBytes, metadataBytes } = this.#content;
    return (payloadBytes[row] as number) + (metadataBytes[row] as number);
  }

  add(rows: Uint32Array): void {
    this.#pieces.push(rows);
    for (const row of rows) this.#bytes += this.bytesOf(row);
  }

  /** Puts the texts of all rows since the last chunk into `target`, from `start` on. */
  putInto(target: Buffer, start: number): void {
    const { textOffsets } = this.#content;
    let at = start;
    for (const rows of this.#pieces)
      for (const row of rows) {
        const offset = textOffsets[row] as number;
        const segment = segmentAt(this.#segments, offset);
        const from = offset - segment.start;
        at += segment.bytes.copy(target, at, from, from + this.bytesOf(row));
      }
    this.#pieces = [];
    this.#bytes = 0;
  }
}
