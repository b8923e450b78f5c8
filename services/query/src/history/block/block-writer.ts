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
import { syncFolder } from '@allsource/service-kit/files';
import { sortedOrder } from '../entity-hash.ts';
import type { Tail } from '../tail/tail.ts';
import { Turns } from '../turns.ts';
import {
  type BlockExtent,
  type CodedSection,
  encodeChunk,
  encodeHeader,
  encodeSection,
  type SectionName,
} from './block-format.ts';

export const DRAFT_SUFFIX = '.draft';
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
  const bytes = await encodeBlock(tail, logId);
  const path = join(folder, blockFileName(tail.firstPosition));
  const draft = path + DRAFT_SUFFIX;
  try {
    await writeSynced(draft, bytes);
    await rename(draft, path);
    await syncFolder(folder);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  return path;
}

async function writeSynced(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, 'w');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function encodeBlock(tail: Tail, logId: Buffer): Promise<Buffer> {
  const turns = new Turns();
  const run = tail.run();
  const text = await encodeText(tail, turns);
  const sections: CodedSection[] = [];
  const add: AddSection = async (name, values) => {
    sections.push(encodeSection(name, values));
    await turns.next();
  };
  await add('tenantNames', Buffer.from(JSON.stringify(tail.tenantNames)));
  await add('typeNames', Buffer.from(JSON.stringify(tail.typeNames)));
  const entityNumbers = await encodeEntities(tail, { add, turns });
  await add('entities', renumbered(tail.entities.subarray(0, run.rowCount), entityNumbers));
  await add('positions', tail.positions.subarray(0, run.rowCount));
  await add('types', tail.types.subarray(0, run.rowCount));
  await add('versions', tail.versions.subarray(0, run.rowCount));
  await add('timestamps', tail.timestamps.subarray(0, run.rowCount));
  await add('recordedAts', tail.recordedAts.subarray(0, run.rowCount));
  const ids = tail.eventIdColumn();
  await add(ids instanceof Uint32Array ? 'eventIdRandoms' : 'eventIds', ids);
  await add('textOffsets', tail.textOffsets.subarray(0, run.rowCount));
  await add('payloadBytes', tail.payloadBytes.subarray(0, run.rowCount));
  await add('metadataBytes', tail.metadataBytes.subarray(0, run.rowCount));
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
  return Buffer.concat([header, ...sections.map((section) => section.bytes), ...text.chunks]);
}

type AddSection = (
  name: SectionName,
  values: Uint32Array | Float64Array | Uint8Array,
) => Promise<void>;

/** Writes the entities in the order of their hashes. Returns the new number of each entity of the tail. */
async function encodeEntities(
  tail: Tail,
  { add, turns }: { readonly add: AddSection; readonly turns: Turns },
): Promise<Uint32Array> {
  const order = sortedOrder(tail.entityHashes.subarray(0, tail.entityCount));
  await turns.next();
  const numbers = new Uint32Array(order.length);
  for (let number = 0; number < order.length; number++) numbers[order[number] as number] = number;
  const { nameEnds, names } = reorderedNames(tail, order);
  await turns.next();
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
    const end = ends[entity] as number;
    // Names are short: a loop is faster than a call to copy each.
    for (let i = start; i < end; i++) names[length++] = entityNames[i] as number;
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
  readonly chunks: Buffer[];
  readonly chunkEntries: number[];
}

async function encodeText(tail: Tail, turns: Turns): Promise<CodedText> {
  const result: CodedText = { chunks: [], chunkEntries: [] };
  for (const { firstRow, text } of tail.textChunks()) {
    const bytes = encodeChunk(text);
    result.chunkEntries.push(firstRow, bytes.length, text.length, crc32(bytes));
    result.chunks.push(bytes);
    await turns.next();
  }
  return result;
}
