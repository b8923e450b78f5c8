/**
 * Lays what a block is made of into memory that two threads see, so that handing it over copies nothing. A message would copy all of it, 18 MB and more, within one turn of the event loop
 * and once more in the thread that gets it.
 */
import { Turns } from '@allsource/service-kit/turns';
import { must } from '@allsource/shared/lang';
import type { BlockContent } from './block-content.ts';

const COLUMNS = [
  'positions',
  'entities',
  'types',
  'versions',
  'timestamps',
  'recordedAts',
  'eventIds',
  'textOffsets',
  'payloadBytes',
  'metadataBytes',
  'entityHashes',
  'entityTenants',
  'entityPartitions',
  'entityNameEnds',
  'entityNames',
] as const satisfies readonly (keyof BlockContent)[];
const ALIGNMENT = 8;
/** What is copied between two looks at the clock. */
const BYTES_A_LOOK = 512 * 1024;

type Column = BlockContent[(typeof COLUMNS)[number]];

/** How much memory a content takes. */
export function sharedBytes(content: BlockContent): number {
  return columnsOf(content).reduce((sum, { byteLength }) => sum + aligned(byteLength), 0);
}

/** Copies a content into memory of at least `sharedBytes`, in turns. What is returned is good until the memory is used again. */
export async function sharedContent(
  content: BlockContent,
  memory: SharedArrayBuffer,
): Promise<BlockContent> {
  const turns = new Turns();
  const copies = new Map<Column, Column>();
  let start = 0;
  for (const column of columnsOf(content)) {
    const { buffer, byteOffset, byteLength } = column;
    for (let at = 0; at < byteLength; at += BYTES_A_LOOK) {
      const bytes = Math.min(BYTES_A_LOOK, byteLength - at);
      const target = new Uint8Array(memory, start + at, bytes);
      target.set(new Uint8Array(buffer, byteOffset + at, bytes));
      await turns.next();
    }
    copies.set(column, viewLike(column, memory, start));
    start += aligned(byteLength);
  }
  const copyOf = <T extends Column>(column: T) => must(copies.get(column), 'a copied column') as T;
  return {
    ...content,
    ...Object.fromEntries(COLUMNS.map((name) => [name, copyOf(content[name])])),
    text: content.text.map(({ start: at, bytes }) => ({ start: at, bytes: copyOf(bytes) })),
  };
}

function columnsOf(content: BlockContent): Column[] {
  return [...COLUMNS.map((name) => content[name]), ...content.text.map(({ bytes }) => bytes)];
}

// oxlint-disable-next-line eslint/max-params -- of what, and where.
function viewLike(column: Column, memory: SharedArrayBuffer, start: number): Column {
  if (column instanceof Float64Array) return new Float64Array(memory, start, column.length);
  if (column instanceof Uint32Array) return new Uint32Array(memory, start, column.length);
  return new Uint8Array(memory, start, column.length);
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
