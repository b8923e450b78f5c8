/**
 * Writes a block file.
 *
 * Promise: when `writeBlock` resolves, the block is whole and durable under its name. Order: the bytes are written under a draft name
 * and synced, then the file is renamed and the folder is synced. A crash before the rename leaves a draft, which the next open removes; after
 * it, the whole block. A failed write removes its draft, so it can be tried again.
 */
import { open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { syncFolder } from '@allsource/service-kit/files';
import { Turns } from '@allsource/service-kit/turns';
import { sortedOrder } from '../entity-hash.ts';
import type { BlockContent } from './block-content.ts';
import {
  type BlockExtent,
  type CodedSection,
  encodeChunk,
  encodeHeader,
  encodeSection,
  type SectionName,
} from './block-format.ts';
import { entityChunks, type PlainChunk } from './entity-chunks.ts';
import { groupRows } from './entity-rows.ts';

export const DRAFT_SUFFIX = '.draft';
const POSITION_DIGITS = 16;

/** The file name of the block that begins at a position. Names sort like positions. */
export function blockFileName(firstPosition: number): string {
  return `${String(firstPosition).padStart(POSITION_DIGITS, '0')}.block`;
}

/** True for a file of this folder that holds a block, or one whose writing was cut off. */
export const isBlockFile = (name: string): boolean => name.endsWith('.block');
export const isDraftFile = (name: string): boolean => name.endsWith(DRAFT_SUFFIX);

/** A block to write. */
export interface BlockJob {
  readonly folder: string;
  readonly content: BlockContent;
  readonly logId: Uint8Array;
}

/** Writes a block. Returns its path. */
export type WriteBlock = (job: BlockJob) => Promise<string>;

/** Writes a block on this thread, in turns. */
export async function writeBlock({ folder, content, logId }: BlockJob): Promise<string> {
  const bytes = await encodeBlock(content, Buffer.from(logId));
  const path = join(folder, blockFileName(content.firstPosition));
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

async function encodeBlock(content: BlockContent, logId: Buffer): Promise<Buffer> {
  const turns = new Turns();
  const sections: CodedSection[] = [];
  const add: AddSection = async (name, values) => {
    sections.push(encodeSection(name, values));
    await turns.next();
  };
  await add('tenantNames', Buffer.from(JSON.stringify(content.tenantNames)));
  await add('typeNames', Buffer.from(JSON.stringify(content.typeNames)));
  const order = await encodeEntities(content, { add, turns });
  const entities = renumbered(content.entities, inverse(order));
  await add('entities', entities);
  await add('positions', content.positions);
  await add('types', content.types);
  await add('versions', content.versions);
  await add('timestamps', content.timestamps);
  await add('recordedAts', content.recordedAts);
  const byEntity = groupRows(entities, content.entityCount);
  const coded = await encodeChunks(entityChunks(content, { order, byEntity }), turns);
  await add('chunks', Uint32Array.from(coded.entries));
  const chunkBytes = coded.chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const header = encodeHeader({ ...extentOf(content), logId }, sections, chunkBytes);
  return Buffer.concat([header, ...sections.map((section) => section.bytes), ...coded.chunks]);
}

function extentOf(content: BlockContent): Omit<BlockExtent, 'logId'> {
  const { firstPosition, lastPosition, rowCount, entityCount, timestampMin, timestampMax } =
    content;
  return { firstPosition, lastPosition, rowCount, entityCount, timestampMin, timestampMax };
}

type AddSection = (
  name: SectionName,
  values: Uint32Array | Float64Array | Uint8Array,
) => Promise<void>;

/** Writes the entities in the order of their hashes. Returns which entity of the tail each of them is. */
async function encodeEntities(
  content: BlockContent,
  { add, turns }: { readonly add: AddSection; readonly turns: Turns },
): Promise<Uint32Array> {
  const order = sortedOrder(content.entityHashes);
  await turns.next();
  const { nameEnds, names } = reorderedNames(content, order);
  await turns.next();
  await add('entityHashes', renumbered(order, content.entityHashes));
  await add('entityTenants', renumbered(order, content.entityTenants));
  await add('entityPartitions', renumbered(order, content.entityPartitions));
  await add('entityNameEnds', nameEnds);
  await add('entityNames', names);
  return order;
}

/** Entity of the tail to its number in the block. */
function inverse(order: Uint32Array): Uint32Array {
  const numbers = new Uint32Array(order.length);
  for (let number = 0; number < order.length; number++) numbers[order[number] as number] = number;
  return numbers;
}

function reorderedNames(content: BlockContent, order: Uint32Array) {
  const { entityNameEnds: ends, entityNames } = content;
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

interface CodedChunks {
  readonly chunks: Buffer[];
  /** The integers of the section `chunks`. */
  readonly entries: number[];
}

async function encodeChunks(chunks: Iterable<PlainChunk>, turns: Turns): Promise<CodedChunks> {
  const result: CodedChunks = { chunks: [], entries: [] };
  for (const { bytes, rowCount, firstHash, lastHash } of chunks) {
    const stored = encodeChunk(bytes);
    result.entries.push(stored.length, bytes.length, crc32(stored), rowCount, firstHash, lastHash);
    result.chunks.push(stored);
    await turns.next();
  }
  return result;
}
