/**
 * The tiers of the event history on paper, for stores too large to fill here: the policy of merges itself, run block by block with sizes only.
 *
 *     node bench/tiers.ts [--events=N] [--block=EVENTS] [--entities-a-block=N] [--bytes=PER EVENT]
 *
 * The worst case is the default: every event of a block is of another entity, so an index has as many entries as there are events.
 */
import { parseArgs } from 'node:util';
import {
  bucketBitsFor,
  entriesOffset,
  INDEX_ENTRY_BYTES,
} from '../services/query/src/history/tiers/index-format.ts';
import {
  dueMerge,
  TIER_FANOUT,
  TIER_LEVEL_MAX,
} from '../services/query/src/history/tiers/tier-policy.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000000' },
    block: { type: 'string', default: '65536' },
    'entities-a-block': { type: 'string', default: '65536' },
    bytes: { type: 'string', default: '33' },
  },
});
const eventCount = Number(values.events);
const blockEvents = Number(values.block);
const entriesABlock = Number(values['entities-a-block']);
const blockBytes = blockEvents * Number(values.bytes);
/** What a block and an index keep in memory apart from the caches: header, section table, table of blocks, objects of the engine. */
const BLOCK_MEMORY_BYTES = 1_500;
const INDEX_BLOCK_MEMORY_BYTES = 120;

interface Unit {
  readonly level: number;
  readonly blocks: number;
}

function indexBytes(blocks: number): number {
  const entryCount = blocks * entriesABlock;
  const extent = {
    blocks: Array.from({ length: blocks }, () => ({ firstPosition: 1, lastPosition: 1 })),
    bucketBits: bucketBitsFor(entryCount),
  } as unknown as Parameters<typeof entriesOffset>[0];
  return entriesOffset(extent) + entryCount * INDEX_ENTRY_BYTES;
}

const sizes = new Map<number, number>();
const sizeOf = (blocks: number) => {
  const size = sizes.get(blocks) ?? indexBytes(blocks);
  sizes.set(blocks, size);
  return size;
};

const units: Unit[] = [];
let writtenBytes = 0;
let lookupsSum = 0;
let lookupsMax = 0;
const rows: Record<string, string | number>[] = [];
const blockTotal = Math.ceil(eventCount / blockEvents);
const shown = new Set([1e6, 1e7, 1e8, 1e9].map((events) => Math.ceil(events / blockEvents)));
shown.add(blockTotal);
for (let blocks = 1; blocks <= blockTotal; blocks++) {
  units.push({ level: 0, blocks: 1 });
  // Units of eight levels at most stand at the end, so only there a merge can come due.
  for (;;) {
    const tail = units.slice(-TIER_FANOUT * (TIER_LEVEL_MAX + 1));
    const due = dueMerge(tail.map(({ level }) => level));
    if (due === null) break;
    const from = units.length - tail.length + due.from;
    const merged = units
      .slice(from, from + TIER_FANOUT)
      .reduce((sum, unit) => sum + unit.blocks, 0);
    units.splice(from, TIER_FANOUT, { level: due.level, blocks: merged });
    writtenBytes += sizeOf(merged);
  }
  lookupsSum += units.length;
  lookupsMax = Math.max(lookupsMax, units.length);
  if (!shown.has(blocks)) continue;
  const level = (wanted: number) => units.filter((unit) => unit.level === wanted).length;
  const indexes = units.filter((unit) => unit.level > 0);
  const diskBytes = indexes.reduce((sum, unit) => sum + sizeOf(unit.blocks), 0);
  rows.push({
    events: (blocks * blockEvents).toLocaleString('en'),
    'units of level 0/1/2/3': [0, 1, 2, 3].map(level).join('/'),
    'lookups a read': units.length,
    'mean so far': (lookupsSum / blocks).toFixed(1),
    most: lookupsMax,
    'blocks by chance': ((blocks * entriesABlock) / 2 ** 32).toFixed(2),
    'memory MiB': ((blocks * (BLOCK_MEMORY_BYTES + INDEX_BLOCK_MEMORY_BYTES)) / 2 ** 20).toFixed(1),
    'indexes GiB': (diskBytes / 2 ** 30).toFixed(2),
    'written / kept': (
      (blocks * blockBytes + writtenBytes) /
      (blocks * blockBytes + diskBytes)
    ).toFixed(2),
  });
}
console.table(rows);
console.log(
  'lookups a read: blocks without an index and indexes that a lookup of one entity asks, an index with two short reads; blocks by chance: ' +
    'blocks searched in vain because two entities share a hash; written / kept: bytes written over bytes on disk, blocks at ' +
    `${values.bytes} bytes an event.`,
);
