/**
 * An open block: the rows of one block file. It keeps its header in memory; columns and names are read, checked and decoded when they are first
 * used and may be dropped again (see block-cache.ts), text is read in chunks.
 */
import { must } from '@allsource/shared/lang';
import type { Position } from '@allsource/shared/model';
import { soughtEntity } from '../entity-hash.ts';
import { EventRun, type RunSource } from '../event-run.ts';
import { firstAtLeast } from '../first-at-least.ts';
import type { RowText } from '../row-text.ts';
import { type BlockCache, ChunkShelf, type Evictable } from './block-cache.ts';
import { type BlockHeader, float64s, type SectionName, uint32s } from './block-format.ts';
import { BlockReader } from './block-reader.ts';
import { ChunkContent, type Piece } from './chunk-content.ts';
import { ChunkTable } from './chunk-table.ts';
import { type EntityRows, groupRows } from './entity-rows.ts';
import { sliceOf } from './entity-slice.ts';
import { NO_RANDOM, rebuildEventId } from './event-ids.ts';
import { RowPlaces } from './row-places.ts';

export interface BlockFileOptions {
  readonly path: string;
  readonly header: BlockHeader;
  readonly cache: BlockCache;
  /** Called when a part that was whole at open turns out to be damaged. */
  readonly onDamage: (block: BlockFile, reason: string) => void;
}

const FOLDED_NAMES = ['tenantNames', 'typeNames'] as const;
const FOLDED_INTEGERS = [
  'entityHashes',
  'entityTenants',
  'entityNameEnds',
  'entities',
  'types',
  'positions',
] as const;
const FOLDED_DOUBLES = ['timestamps', 'versions'] as const;

/** An entity that lies in more chunks is looked up in the columns: they tell which of its rows are wanted, and only the chunks of those are read. */
const SLICE_CHUNKS_MAX = 4;
/** A block that is asked so often has its columns decoded: that takes as long as about this many slices, and then a lookup takes half as long. */
const SLICES_MAX = 128;
/** What a row takes of decoded columns, about. */
const COLUMN_BYTES_A_ROW = 55;
/** A list of strings takes about this many times the bytes of its JSON. */
const NAME_BYTES_IN_MEMORY = 3;

export class BlockFile implements RunSource, Evictable {
  readonly path: string;
  readonly header: BlockHeader;
  readonly run: EventRun;
  readonly #cache: BlockCache;
  readonly #reader: BlockReader;
  readonly #columns = new Map<SectionName, Uint32Array | Float64Array | Buffer>();
  readonly #nameLists = new Map<SectionName, readonly string[]>();
  readonly #chunks = new ChunkShelf<ChunkContent>();
  #table: ChunkTable | null = null;
  /** How often rows of an entity were read out of chunks since the columns were dropped. */
  #slices = 0;
  /** True since the columns were found to be worth their room, until they are dropped. */
  #mayHaveColumns = false;
  #places: RowPlaces | null = null;
  #entityRows: EntityRows | null = null;

  /** Opens a block whose header was checked; see open-block.ts. */
  constructor(options: BlockFileOptions) {
    this.path = options.path;
    this.header = options.header;
    this.#cache = options.cache;
    const onDamage = (reason: string) => options.onDamage(this, reason);
    this.#reader = new BlockReader({ path: this.path, header: this.header, onDamage });
    this.run = new EventRun(this, { ...options.header, isTimeOrdered: null });
  }

  get firstPosition(): Position {
    return this.header.firstPosition;
  }

  get entityCount(): number {
    return this.header.entityCount;
  }

  get tenantNames(): readonly string[] {
    return this.#names('tenantNames');
  }

  get typeNames(): readonly string[] {
    return this.#names('typeNames');
  }

  get entityHashes(): Uint32Array {
    return this.#integers('entityHashes');
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

  /** The entity hashes for a single use: they are not kept when they are not there already. */
  readEntityHashes(): Uint32Array {
    const known = this.#columns.get('entityHashes');
    return known instanceof Uint32Array ? known : uint32s(this.#reader.section('entityHashes'));
  }

  /** Lets go of everything that can be read again, now. */
  release(): void {
    this.#cache.forget(this);
  }

  /** Reads and checks what folds of all rows need. Throws `read_store_damaged`. */
  loadFoldedColumns(): void {
    for (const section of FOLDED_NAMES) this.#names(section);
    for (const section of FOLDED_INTEGERS) this.#integers(section);
    for (const section of FOLDED_DOUBLES) this.#doubles(section);
    this.#bytes('entityNames');
  }

  findEntity(tenant: string, entity: string): number {
    const { hash } = soughtEntity(tenant, entity);
    const hashes = this.entityHashes;
    let number = firstAtLeast(hashes, hash);
    for (; hashes[number] === hash; number++) {
      if (this.entityName(number) !== entity) continue;
      if (this.tenantNames[this.entityTenants[number] as number] === tenant) return number;
    }
    return -1;
  }

  /**
   * The run that the rows of an entity are looked for in: one of nothing else, or that of the block where they lie in many chunks or the block is asked again and again. Who is only passing is not counted, and leaves
   * no chunk behind in memory. Throws `read_store_damaged`.
   */
  // oxlint-disable-next-line eslint/max-params -- whose, and how.
  entityRun(tenant: string, entity: string, isPassing = false): EventRun {
    if (!isPassing && this.#isAskedOften()) return this.run;
    const sought = soughtEntity(tenant, entity);
    const table = this.#chunkTable();
    const { first, end } = table.chunksOf(sought.hash);
    if (end - first > SLICE_CHUNKS_MAX) return this.run;
    if (!isPassing) this.#slices += 1;
    const tenantNumber = this.tenantNames.indexOf(tenant);
    const pieces: Piece[] = [];
    for (let chunk = first; chunk < end; chunk++) {
      const content = isPassing
        ? (this.#chunks.find(chunk) ?? this.#readChunk(chunk))
        : this.#chunk(chunk);
      const piece = content.findPiece(tenantNumber, sought);
      if (piece !== null) pieces.push(piece);
    }
    const { firstPosition, lastPosition } = this.header;
    const { typeNames } = this;
    const block = { firstPosition, lastPosition, typeNames };
    return sliceOf(block, { tenant, entity: sought }, pieces);
  }

  /** True when it pays to decode the columns, and they have room; or they are there for that reason. */
  #isAskedOften(): boolean {
    if (this.#slices < SLICES_MAX) return false;
    this.#mayHaveColumns ||= this.#cache.hasRoomFor(this.header.rowCount * COLUMN_BYTES_A_ROW);
    return this.#mayHaveColumns;
  }

  rowsOfEntity(entity: number): Uint32Array {
    const { starts, rows } = this.#rowsByEntity();
    return rows.subarray(starts[entity], starts[entity + 1]);
  }

  eventIdRandom(row: number): number {
    const { chunks, rows } = (this.#places ??= this.#rowPlaces());
    return this.#chunk(chunks[row] as number).idRandom(rows[row] as number);
  }

  copyEventId(row: number, target: Buffer): void {
    const random = this.eventIdRandom(row);
    if (random !== NO_RANDOM) return rebuildEventId(this, row, random, target);
    const { chunks, rows } = (this.#places ??= this.#rowPlaces());
    this.#chunk(chunks[row] as number).copyId(rows[row] as number, target);
  }

  placeText(row: number, text: RowText): void {
    const { chunks, rows } = (this.#places ??= this.#rowPlaces());
    this.#chunk(chunks[row] as number).place(rows[row] as number, text);
  }

  /** Drops what can be read again. */
  evict(): void {
    this.#columns.clear();
    this.#nameLists.clear();
    this.#entityRows = null;
    this.#table = null;
    this.#slices = 0;
    this.#mayHaveColumns = false;
    this.#places = null;
  }

  #rowPlaces(): RowPlaces {
    const places = new RowPlaces(this.#chunkTable(), this.#rowsByEntity().rows);
    this.#cache.touch(this, places.byteLength);
    return places;
  }

  #chunk(number: number): ChunkContent {
    return (
      this.#chunks.find(number) ?? this.#cache.add(this.#chunks, number, this.#readChunk(number))
    );
  }

  #readChunk(number: number): ChunkContent {
    return new ChunkContent(this.#reader.chunk(this.#chunkTable().place(number)));
  }

  #chunkTable(): ChunkTable {
    if (this.#table !== null) return this.#table;
    const table = new ChunkTable(this.#integers('chunks'), this.header.chunksOffset);
    this.#cache.touch(this, table.ownBytes);
    this.#table = table;
    return table;
  }

  #rowsByEntity(): EntityRows {
    if (this.#entityRows !== null) return this.#entityRows;
    const index = groupRows(this.entities, this.entityCount);
    this.#cache.touch(this, index.rows.byteLength + index.starts.byteLength);
    this.#entityRows = index;
    return index;
  }

  #names(section: SectionName): readonly string[] {
    const known = this.#nameLists.get(section);
    if (known !== undefined) return known;
    const text = this.#reader.section(section).toString('utf8');
    // The text was printed from an array of strings by block-writer.ts, behind the checksum of its section.
    const names = JSON.parse(text) as string[];
    this.#cache.touch(this, text.length * NAME_BYTES_IN_MEMORY);
    this.#nameLists.set(section, names);
    return names;
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
