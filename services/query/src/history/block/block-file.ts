/**
 * An open block: the rows of one block file. It keeps the entity hashes and the names of tenants and types in memory, which is what most
 * searches end at; columns are read and decoded when they are first used and may be dropped again (see block-cache.ts), text is read in
 * chunks.
 */
import { must } from '@allsource/shared/lang';
import { EVENT_ID_BYTES, formatEventId, type Position } from '@allsource/shared/model';
import { entityHash, tenantSeed } from '../entity-hash.ts';
import { EventRun, type RunSource } from '../event-run.ts';
import type { BlockCache, Evictable } from './block-cache.ts';
import {
  type BlockHeader,
  CHUNK_ENTRY_INTEGERS,
  float64s,
  type SectionName,
  uint32s,
} from './block-format.ts';
import { BlockReader } from './block-reader.ts';
import { rebuiltEventId } from './event-ids.ts';

export interface BlockFileOptions {
  readonly path: string;
  readonly header: BlockHeader;
  readonly cache: BlockCache;
  /** Called when a part that was whole at open turns out to be damaged. */
  readonly onDamage: (block: BlockFile, reason: string) => void;
}

interface EntityRows {
  /** Entity number to the first of its rows in `rows`, and one more. */
  readonly starts: Uint32Array;
  readonly rows: Uint32Array;
}

export class BlockFile implements RunSource, Evictable {
  readonly path: string;
  readonly header: BlockHeader;
  readonly run: EventRun;
  readonly tenantNames: readonly string[];
  readonly typeNames: readonly string[];
  readonly entityHashes: Uint32Array;
  readonly #cache: BlockCache;
  readonly #reader: BlockReader;
  readonly #columns = new Map<SectionName, Uint32Array | Float64Array | Buffer>();
  readonly #firstChunkKey: number;
  #entityRows: EntityRows | null = null;

  /** Opens a block whose checksums were checked; see open-block.ts. */
  constructor(options: BlockFileOptions) {
    this.path = options.path;
    this.header = options.header;
    this.#cache = options.cache;
    const onDamage = (reason: string) => options.onDamage(this, reason);
    this.#reader = new BlockReader({ path: this.path, header: this.header, onDamage });
    this.tenantNames = this.#names('tenantNames');
    this.typeNames = this.#names('typeNames');
    this.entityHashes = uint32s(this.#reader.section('entityHashes'));
    this.#firstChunkKey = this.#cache.chunkKeys(this.#chunkCount());
    this.run = new EventRun(this, { ...options.header, isTimeOrdered: null });
  }

  get firstPosition(): Position {
    return this.header.firstPosition;
  }

  get entityCount(): number {
    return this.header.entityCount;
  }

  get entityTenants(): Uint32Array {
    return this.#integers('entityTenants');
  }

  get positions(): Uint32Array {
    return this.#integers('positions');
  }

  get entities(): Uint32Array {
    return this.#integers('entities');
  }

  get types(): Uint32Array {
    return this.#integers('types');
  }

  get versions(): Float64Array {
    return this.#doubles('versions');
  }

  get timestamps(): Float64Array {
    return this.#doubles('timestamps');
  }

  get recordedAts(): Float64Array {
    return this.#doubles('recordedAts');
  }

  get entityNameEnds(): Uint32Array {
    return this.#integers('entityNameEnds');
  }

  get entityNames(): Buffer {
    return this.#bytes('entityNames');
  }

  entityName(entity: number): string {
    const ends = this.entityNameEnds;
    const start = entity === 0 ? 0 : (ends[entity - 1] as number);
    return this.entityNames.toString('utf8', start, ends[entity]);
  }

  entityPartition(entity: number): number {
    return must(this.#integers('entityPartitions')[entity], 'an entity of the block');
  }

  findEntity(tenant: string, entity: string): number {
    const bytes = Buffer.from(entity);
    const hash = entityHash(tenantSeed(tenant), bytes, { start: 0, end: bytes.length });
    let number = firstAtLeast(this.entityHashes, hash);
    for (; this.entityHashes[number] === hash; number++) {
      if (this.entityName(number) !== entity) continue;
      if (this.tenantNames[this.entityTenants[number] as number] === tenant) return number;
    }
    return -1;
  }

  rowsOfEntity(entity: number): Uint32Array {
    const { starts, rows } = this.#rowsByEntity();
    return rows.subarray(starts[entity], starts[entity + 1]);
  }

  eventId(row: number): string {
    if (this.header.sections.has('eventIds'))
      return formatEventId(this.#bytes('eventIds'), row * EVENT_ID_BYTES);
    const parts = {
      position: this.run.positionAt(row),
      recordedAt: this.recordedAts[row] as number,
    };
    return rebuiltEventId(parts, this.#integers('eventIdRandoms')[row] as number);
  }

  payload(row: number): Buffer {
    const { text, start } = this.#textOf(row);
    return text.subarray(start, start + (this.#integers('payloadBytes')[row] as number));
  }

  metadata(row: number): Buffer | null {
    const { text, start, end } = this.#textOf(row);
    const from = start + (this.#integers('payloadBytes')[row] as number);
    return from === end ? null : text.subarray(from, end);
  }

  /** Drops what can be read again. */
  evict(): void {
    this.#columns.clear();
    this.#entityRows = null;
  }

  /** The chunk with the text of a row, and where in it the text lies. */
  #textOf(row: number): { readonly text: Buffer; readonly start: number; readonly end: number } {
    const offsets = this.#integers('textOffsets');
    const chunks = this.#integers('chunks');
    const chunk = chunkOfRow(chunks, row);
    const chunkStart = offsets[chunks[chunk * CHUNK_ENTRY_INTEGERS] as number] as number;
    const key = this.#firstChunkKey + chunk;
    const text = this.#cache.chunk(key, () => this.#readChunk(chunks, chunk));
    const start = (offsets[row] as number) - chunkStart;
    return { text, start, end: (offsets[row + 1] as number) - chunkStart };
  }

  #readChunk(chunks: Uint32Array, chunk: number): Buffer {
    let offset = this.header.textOffset;
    for (let i = 0; i < chunk; i++) offset += chunks[i * CHUNK_ENTRY_INTEGERS + 1] as number;
    const entry = chunk * CHUNK_ENTRY_INTEGERS;
    const storedBytes = chunks[entry + 1] as number;
    return this.#reader.chunk({ offset, storedBytes, checksum: chunks[entry + 3] as number });
  }

  #chunkCount(): number {
    const place = must(this.header.sections.get('chunks'), 'a block has a table of chunks');
    return place.decodedBytes / (4 * CHUNK_ENTRY_INTEGERS);
  }

  #rowsByEntity(): EntityRows {
    if (this.#entityRows !== null) return this.#entityRows;
    const index = groupRows(this.entities, this.entityCount);
    this.#cache.touch(this, index.rows.byteLength + index.starts.byteLength);
    this.#entityRows = index;
    return index;
  }

  #names(section: SectionName): string[] {
    // The text was printed from an array of strings by block-writer.ts, behind the checksum of its section.
    return JSON.parse(this.#reader.section(section).toString('utf8')) as string[];
  }

  #integers(section: SectionName): Uint32Array {
    const known = this.#columns.get(section);
    return known instanceof Uint32Array ? known : this.#load(section, uint32s);
  }

  #doubles(section: SectionName): Float64Array {
    const known = this.#columns.get(section);
    return known instanceof Float64Array ? known : this.#load(section, float64s);
  }

  #bytes(section: SectionName): Buffer {
    const known = this.#columns.get(section);
    return known instanceof Buffer ? known : this.#load(section, (bytes) => bytes);
  }

  #load<T extends Uint32Array | Float64Array | Buffer>(
    section: SectionName,
    toColumn: (bytes: Buffer) => T,
  ): T {
    const column = toColumn(this.#reader.section(section));
    this.#cache.touch(this, column.byteLength);
    this.#columns.set(section, column);
    return column;
  }
}

/** The index of the first value that is not below `wanted`. */
function firstAtLeast(sorted: Uint32Array, wanted: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The last chunk that begins at or before a row. */
function chunkOfRow(chunks: Uint32Array, row: number): number {
  let low = 0;
  let high = chunks.length / CHUNK_ENTRY_INTEGERS;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((chunks[middle * CHUNK_ENTRY_INTEGERS] as number) <= row) low = middle;
    else high = middle;
  }
  return low;
}

/** Groups rows by entity, each group ascending: a counting sort of the entity column. */
function groupRows(entities: Uint32Array, entityCount: number): EntityRows {
  const starts = new Uint32Array(entityCount + 1);
  for (const entity of entities) (starts[entity + 1] as number)++;
  for (let i = 1; i <= entityCount; i++) (starts[i] as number) += starts[i - 1] as number;
  const next = starts.slice();
  const rows = new Uint32Array(entities.length);
  for (const [row, entity] of entities.entries()) {
    rows[next[entity] as number] = row;
    (next[entity] as number)++;
  }
  return { starts, rows };
}
