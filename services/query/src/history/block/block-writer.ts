/**
 * Seals a tail: writes its rows as a block file.
 *
 * Promise: when `writeBlock` resolves, the block is whole and durable under its name. Order: the bytes are written under a draft name
 * and synced, then the file is renamed and the folder is synced. A crash before the rename leaves a draft, which the next open removes; after
 * it, the whole block. A failed write removes its draft and leaves the tail as it was, so it can be tried again.
 */
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { sortedOrder } from '../entity-hash.ts';
import type { Tail } from '../tail/tail.ts';
import {
  type BlockExtent,
  type CodedSection,
  encodeChunk,
  encodeHeader,
  encodeSection,
  type SectionName,
} from './block-format.ts';
import { encodeEventIds } from './event-ids.ts';

/** One event's text costs the decompression of one chunk; larger chunks compress better. */
const CHUNK_BYTES = 192 * 1024;
const CHUNKS_AT_ONCE = 4;
const DRAFT_SUFFIX = '.draft';
const POSITION_DIGITS = 16;

/** The file name of the block that begins at a position. Names sort like positions. */
export function blockFileName(firstPosition: number): string {
  return `${String(firstPosition).padStart(POSITION_DIGITS, '0')}.block`;
}

/** True for a file of this folder that holds a block, or one whose writing was cut off. */
export const isBlockFile = (name: string): boolean => name.endsWith('.block');
export const isDraftFile = (name: string): boolean => name.endsWith(DRAFT_SUFFIX);

/** Writes a tail that takes no more rows. Returns the path. */
export async function writeBlock(folder: string, tail: Tail, logId: Buffer): Promise<string> {
  const parts = await encodeBlock(tail, logId);
  const path = join(folder, blockFileName(tail.firstPosition));
  const draft = path + DRAFT_SUFFIX;
  try {
    await writeSynced(draft, parts);
    await rename(draft, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return path;
}

async function writeSynced(path: string, parts: readonly Buffer[]): Promise<void> {
  const file = await open(path, 'w');
  try {
    // One by one: a vector of many parts may be written in part only.
    for (const part of parts) await file.writeFile(part);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function encodeBlock(tail: Tail, logId: Buffer): Promise<Buffer[]> {
  const run = tail.run();
  const text = await encodeText(tail);
  const sections: CodedSection[] = [];
  const add = async (name: SectionName, values: Uint32Array | Float64Array | Uint8Array) => {
    sections.push(await encodeSection(name, values));
  };
  await add('tenantNames', Buffer.from(JSON.stringify(tail.tenantNames)));
  await add('typeNames', Buffer.from(JSON.stringify(tail.typeNames)));
  const entityNumbers = await encodeEntities(tail, add);
  await add('entities', renumbered(tail.entities.subarray(0, run.rowCount), entityNumbers));
  await add('positions', tail.positions.subarray(0, run.rowCount));
  await add('types', tail.types.subarray(0, run.rowCount));
  await add('versions', tail.versions.subarray(0, run.rowCount));
  await add('timestamps', tail.timestamps.subarray(0, run.rowCount));
  await add('recordedAts', tail.recordedAts.subarray(0, run.rowCount));
  const ids = encodeEventIds(tail);
  await add(ids.section, ids.values);
  await add('textOffsets', text.offsets);
  await add('payloadBytes', text.payloadBytes);
  await add('chunks', Uint32Array.from(text.chunkEntries));
  const extent: BlockExtent = {
    logId,
    firstPosition: tail.firstPosition,
    lastPosition: tail.lastPosition,
    rowCount: run.rowCount,
    entityCount: tail.entityCount,
    timestampMin: run.timestampMin,
    timestampMax: run.timestampMax,
  };
  const textBytes = text.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const header = encodeHeader(extent, sections, textBytes);
  return [header, ...sections.map((section) => section.bytes), ...text.chunks];
}

type AddSection = (name: SectionName, values: Uint32Array | Uint8Array) => Promise<void>;

/** Writes the entities in the order of their hashes. Returns the new number of each entity of the tail. */
async function encodeEntities(tail: Tail, add: AddSection): Promise<Uint32Array> {
  const order = sortedOrder(tail.entityHashes.subarray(0, tail.entityCount));
  const numbers = new Uint32Array(order.length);
  for (let number = 0; number < order.length; number++) numbers[order[number] as number] = number;
  const { nameEnds, names } = reorderedNames(tail, order);
  await add('entityHashes', renumbered(order, tail.entityHashes));
  await add('entityTenants', renumbered(order, tail.entityTenants));
  await add(
    'entityPartitions',
    order.map((entity) => tail.entityPartition(entity)),
  );
  await add('entityNameEnds', nameEnds);
  await add('entityNames', names);
  return numbers;
}

function reorderedNames(tail: Tail, order: Uint32Array) {
  const { entityNameEnds: ends, entityNames } = tail;
  const nameEnds = new Uint32Array(order.length);
  const names = Buffer.alloc(ends[order.length - 1] ?? 0);
  let length = 0;
  for (let number = 0; number < order.length; number++) {
    const entity = order[number] as number;
    const start = entity === 0 ? 0 : (ends[entity - 1] as number);
    length += entityNames.copy(names, length, start, ends[entity]);
    nameEnds[number] = length;
  }
  return { nameEnds, names };
}

/** Looks each value up in a table. */
function renumbered(values: Uint32Array, table: Uint32Array): Uint32Array {
  const result = new Uint32Array(values.length);
  for (let i = 0; i < values.length; i++) result[i] = table[values[i] as number] as number;
  return result;
}

interface CodedText {
  /** One more than rows. */
  readonly offsets: Uint32Array;
  readonly payloadBytes: Uint32Array;
  readonly chunks: Buffer[];
  readonly chunkEntries: number[];
}

async function encodeText(tail: Tail): Promise<CodedText> {
  const offsets = new Uint32Array(tail.rowCount + 1);
  const payloadBytes = new Uint32Array(tail.rowCount);
  const result: CodedText = { offsets, payloadBytes, chunks: [], chunkEntries: [] };
  let waiting: PlainChunk[] = [];
  for (const chunk of plainChunks(tail, offsets, payloadBytes)) {
    waiting.push(chunk);
    if (waiting.length < CHUNKS_AT_ONCE) continue;
    await addChunks(result, waiting);
    waiting = [];
  }
  await addChunks(result, waiting);
  return result;
}

async function addChunks(text: CodedText, plain: readonly PlainChunk[]): Promise<void> {
  const stored = await Promise.all(plain.map((chunk) => encodeChunk(chunk.text)));
  for (const [i, bytes] of stored.entries()) {
    const { firstRow, text: decoded } = plain[i] as PlainChunk;
    text.chunkEntries.push(firstRow, bytes.length, decoded.length, crc32(bytes));
    text.chunks.push(bytes);
  }
}

interface PlainChunk {
  readonly firstRow: number;
  readonly text: Buffer;
}

/** Cuts the text into chunks of whole rows and notes where each row's text lies. A row larger than a chunk is a chunk of its own. */
function* plainChunks(
  tail: Tail,
  offsets: Uint32Array,
  payloadBytes: Uint32Array,
): Generator<PlainChunk> {
  measureText(tail, offsets, payloadBytes);
  let firstRow = 0;
  while (firstRow < tail.rowCount) {
    const start = offsets[firstRow] as number;
    let end = firstRow + 1;
    while (end < tail.rowCount && (offsets[end] as number) - start < CHUNK_BYTES) end++;
    const text = Buffer.allocUnsafeSlow((offsets[end] as number) - start);
    let length = 0;
    for (let row = firstRow; row < end; row++)
      length += tail.frameEvent(row).copyPayloadAndMetadata(text, length);
    yield { firstRow, text };
    firstRow = end;
  }
}

function measureText(tail: Tail, offsets: Uint32Array, payloadBytes: Uint32Array): void {
  let end = 0;
  for (let row = 0; row < tail.rowCount; row++) {
    const { payloadLength, metadataLength } = tail.frameEvent(row);
    payloadBytes[row] = payloadLength;
    end += payloadLength + metadataLength;
    offsets[row + 1] = end;
  }
}
