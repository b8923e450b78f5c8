/** What the cache of the blocks keeps of chunks, and for how long. */
import { describe, expect, it } from '@jest/globals';
import { BlockCache, ChunkShelf } from '../../src/history/block/block-cache.ts';

const CHUNK_BYTES = 3_584;
/** With what each costs beside its bytes there is room for ten. */
const ROOM = 10;

/** Asks as readers do. */
function askFor(
  cache: BlockCache,
  { shelf, number }: { readonly shelf: ChunkShelf<Buffer>; readonly number: number },
  read: () => Buffer,
): Buffer {
  return shelf.find(number) ?? cache.add(shelf, number, read());
}

/** A cache, and the chunks that were read for it: those of ten shelves, told by one number. */
function cacheWithReads() {
  const cache = new BlockCache({ columnBytesMax: 0, chunkBytesMax: ROOM * 4_096 });
  const reads: number[] = [];
  const shelves = Array.from({ length: 10 }, () => new ChunkShelf<Buffer>());
  const ask = (key: number) =>
    askFor(
      cache,
      { shelf: shelves[key % 10] as ChunkShelf<Buffer>, number: Math.floor(key / 10) },
      () => {
        reads.push(key);
        return Buffer.alloc(CHUNK_BYTES, key);
      },
    );
  return { cache, reads, ask };
}

describe('the chunks in the cache of the blocks', () => {
  it('are read once while there is room, and bounded', () => {
    const { cache, reads, ask } = cacheWithReads();
    for (let round = 0; round < 3; round++)
      for (let key = 0; key < ROOM; key++) expect(ask(key)[0]).toBe(key);
    expect(reads).toEqual(Array.from({ length: ROOM }, (_, key) => key));
    expect(cache.bytes).toBe(ROOM * 4_096);
    for (let key = 0; key < 1_000; key++) ask(key % 251);
    expect(cache.bytes).toBe(ROOM * 4_096);
  });

  it('stay when they are used, while others are read once each', () => {
    const { reads, ask } = cacheWithReads();
    for (let key = 100; key < 400; key++) {
      ask(1);
      ask(key);
      ask(2);
    }
    expect(reads.filter((key) => key < 100)).toEqual([1, 2]);
  });

  it('go when they are used no more', () => {
    const { reads, ask } = cacheWithReads();
    for (let round = 0; round < 5; round++) for (const key of [1, 2, 3]) ask(key);
    for (let key = 100; key < 100 + 3 * ROOM; key++) ask(key);
    for (const key of [1, 2, 3]) ask(key);
    expect(reads.filter((key) => key < 100)).toEqual([1, 2, 3, 1, 2, 3]);
  });

  it('cost more than their bytes: many short ones are bounded too', () => {
    const cache = new BlockCache({ columnBytesMax: 0, chunkBytesMax: 1_024 * 1_024 });
    const shelf = new ChunkShelf<Buffer>();
    let reads = 0;
    const askAll = () => {
      for (let key = 0; key < 10_000; key++)
        askFor(cache, { shelf, number: key }, () => {
          reads += 1;
          return Buffer.alloc(4);
        });
    };
    askAll();
    expect(cache.bytes).toBeLessThanOrEqual(1_024 * 1_024);
    askAll();
    expect(reads).toBeGreaterThan(10_000);
  });
});
