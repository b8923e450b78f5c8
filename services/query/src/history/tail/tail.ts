/**
 * The tail: the newest events, in memory, in the columns a block has, with an index of its own. It takes frames until it is sealed, and is
 * read meanwhile: a reader gets a run over the rows there are at that moment, and rows never change. Of a frame it takes the columns from
 * the spans and the text with one copy; no object is made for an event.
 *
 * A frame is taken whole or not at all, so a tail is full by up to one frame more than its limits and always ends where a frame ends:
 * that is where a follower can go on.
 *
 * What the tail holds is lost in a crash and followed again from core.
 */
import { assert, must } from '@allsource/shared/lang';
import { micros, type Position, positionAfter } from '@allsource/shared/model';
import { type Frame, SPAN_BYTES } from '@allsource/shared/protocol';
import { Dictionary } from '../dictionary.ts';
import { entityHash, tenantSeed } from '../entity-hash.ts';
import { EventRun, type RunSource } from '../event-run.ts';
import { NameKey, NameTable } from '../name-table.ts';
import type { RowText } from '../row-text.ts';
import { TailEntities } from './tail-entities.ts';
import { TailIds } from './tail-ids.ts';
import { TailText, type TextSegment } from './tail-text.ts';

/** Room for the rows at which a tail of usual size is full, and for the frame that fills it, so that its columns are rarely moved. */
const ROWS_FIRST_MAX = 65_536 + 4_096;
const ROWS_FIRST_MIN = 64;
/** Positions are stored as 32-bit distances from the first; a run of system events alone can make them long. */
const POSITIONS_MAX = 2 ** 31;

/** With how much a tail counts as full. The frame that fills it is still taken whole. */
export interface TailLimits {
  readonly rows: number;
  /** Bytes of frames taken. */
  readonly frameBytes: number;
}

export class Tail implements RunSource {
  readonly firstPosition: Position;
  readonly #limits: TailLimits;
  readonly #tenants = new Dictionary();
  #tenant = 0;
  #tenantSeed = 0;
  readonly #types = new NameTable();
  readonly typeNames: string[] = [];
  readonly #entities: TailEntities;
  readonly #key = new NameKey();
  readonly #typeKey = new NameKey();
  readonly #text = new TailText();
  #frameBytes = 0;
  #rowCount = 0;
  #lastPosition: Position;
  #timestampMin = Number.POSITIVE_INFINITY;
  #timestampMax = Number.NEGATIVE_INFINITY;
  #isTimeOrdered = true;
  readonly #ids: TailIds;
  positions: Uint32Array;
  entities: Uint32Array;
  types: Uint32Array;
  versions: Float64Array;
  timestamps: Float64Array;
  recordedAts: Float64Array;
  /** Row to where its payload begins in the text; its metadata follows. */
  textOffsets: Uint32Array;
  payloadBytes: Uint32Array;
  metadataBytes: Uint32Array;

  /** A tail that goes on after `after`. */
  constructor(after: Position, limits: TailLimits) {
    this.firstPosition = positionAfter(after, 1);
    this.#lastPosition = after;
    this.#limits = limits;
    const rows = Math.min(ROWS_FIRST_MAX, limits.rows * 2 + ROWS_FIRST_MIN);
    this.#entities = new TailEntities(rows);
    this.#ids = new TailIds(rows);
    this.positions = new Uint32Array(rows);
    this.entities = new Uint32Array(rows);
    this.types = new Uint32Array(rows);
    this.versions = new Float64Array(rows);
    this.timestamps = new Float64Array(rows);
    this.recordedAts = new Float64Array(rows);
    this.textOffsets = new Uint32Array(rows);
    this.payloadBytes = new Uint32Array(rows);
    this.metadataBytes = new Uint32Array(rows);
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /** The last position covered; the one before `firstPosition` when nothing is. */
  get lastPosition(): Position {
    return this.#lastPosition;
  }

  /** True when it is time to seal. */
  get isFull(): boolean {
    return (
      this.#rowCount >= this.#limits.rows ||
      this.#frameBytes >= this.#limits.frameBytes ||
      this.#lastPosition - this.firstPosition >= POSITIONS_MAX
    );
  }

  /** Says that no event of a client lies up to `last`. */
  cover(last: Position): void {
    assert(last >= this.#lastPosition, 'a tail only grows');
    this.#lastPosition = last;
  }

  /** Takes a frame, which must begin right after the last position. */
  append(frame: Frame): void {
    assert(frame.position === this.#lastPosition + 1, 'frames come without a gap');
    const { bytes, eventCount, textOffset } = frame;
    this.#frameBytes += bytes.length;
    this.#beginTenant(frame.tenant);
    this.#reserve(eventCount);
    const firstRow = this.#rowCount;
    this.recordedAts.fill(frame.recordedAt, firstRow, firstRow + eventCount);
    const text = this.#text.append(bytes.subarray(textOffset, textOffset + frame.textBytes));
    this.#key.bytes = bytes;
    this.#typeKey.bytes = bytes;
    this.#key.owner = this.#tenant;
    this.#appendRows(frame, { text });
    this.#lastPosition = frame.lastPosition;
  }

  #beginTenant(name: string): void {
    if (this.#tenants.names[this.#tenant] === name) return;
    this.#tenant = this.#tenants.numberOf(name);
    this.#tenantSeed = tenantSeed(name);
  }

  // The offsets in a span are drawn in shared/protocol/frame.ts.
  #appendRows(frame: Frame, { text }: { readonly text: number }): void {
    const { bytes, eventCount, textOffset } = frame;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const before = frame.position - this.firstPosition;
    const id = { view, offset: 0 };
    let row = this.#rowCount;
    for (let i = 0, span = frame.spansOffset; i < eventCount; i++, span += SPAN_BYTES, row++) {
      const start = textOffset + view.getUint32(span + 40, true);
      const entityStart = start + view.getUint16(span + 52, true);
      const entityEnd = entityStart + view.getUint16(span + 54, true);
      this.positions[row] = before + i;
      this.versions[row] = safeInteger(view, span + 24);
      this.textOffsets[row] = text + entityEnd - textOffset;
      this.payloadBytes[row] = view.getUint32(span + 44, true);
      this.metadataBytes[row] = view.getUint32(span + 48, true);
      this.types[row] = this.#typeOf(bytes, start, entityStart);
      this.entities[row] = this.#entityOf(
        row,
        { start: entityStart, end: entityEnd },
        view.getUint16(span + 56, true),
      );
      this.#noteTimestamp(row, safeInteger(view, span + 16));
      id.offset = span;
      this.#ids.add(row, id, this);
    }
    this.#rowCount = row;
  }

  #noteTimestamp(row: number, timestamp: number): void {
    this.timestamps[row] = timestamp;
    if (timestamp < this.#timestampMin) this.#timestampMin = timestamp;
    if (timestamp >= this.#timestampMax) this.#timestampMax = timestamp;
    else this.#isTimeOrdered = false;
  }

  #entityOf(
    row: number,
    { start, end }: { readonly start: number; readonly end: number },
    partition: number,
  ): number {
    const key = this.#key;
    key.start = start;
    key.end = end;
    key.hash = entityHash(this.#tenantSeed, key.bytes, key);
    return this.#entities.addRow(key, row, partition);
  }

  #typeOf(bytes: Buffer, start: number, end: number): number {
    const key = this.#typeKey;
    key.start = start;
    key.end = end;
    key.hash = entityHash(0, bytes, key);
    const type = this.#types.numberOf(key);
    if (type === this.typeNames.length) this.typeNames.push(bytes.toString('latin1', start, end));
    return type;
  }

  #reserve(rows: number): void {
    const wanted = this.#rowCount + rows;
    if (wanted <= this.positions.length) return;
    const capacity = Math.max(wanted, this.positions.length * 2);
    this.positions = grown(this.positions, new Uint32Array(capacity));
    this.entities = grown(this.entities, new Uint32Array(capacity));
    this.types = grown(this.types, new Uint32Array(capacity));
    this.versions = grown(this.versions, new Float64Array(capacity));
    this.timestamps = grown(this.timestamps, new Float64Array(capacity));
    this.recordedAts = grown(this.recordedAts, new Float64Array(capacity));
    this.textOffsets = grown(this.textOffsets, new Uint32Array(capacity));
    this.payloadBytes = grown(this.payloadBytes, new Uint32Array(capacity));
    this.metadataBytes = grown(this.metadataBytes, new Uint32Array(capacity));
    this.#ids.reserveRows(capacity);
    this.#entities.reserveRows(capacity);
  }

  /** The rows there are now, as a run. */
  run(): EventRun {
    return new EventRun(this, {
      rowCount: this.#rowCount,
      lastPosition: this.#lastPosition,
      timestampMin: micros(this.#rowCount === 0 ? 0 : this.#timestampMin),
      timestampMax: micros(this.#rowCount === 0 ? 0 : this.#timestampMax),
      isTimeOrdered: this.#isTimeOrdered,
    });
  }

  get tenantNames(): readonly string[] {
    return this.#tenants.names;
  }

  get entityCount(): number {
    return this.#entities.names.count;
  }

  get entityTenants(): Uint32Array {
    return this.#entities.names.owners;
  }

  get entityHashes(): Uint32Array {
    return this.#entities.names.hashes;
  }

  get entityNameEnds(): Uint32Array {
    return this.#entities.names.ends;
  }

  get entityNames(): Buffer {
    return this.#entities.names.bytes;
  }

  get entityPartitions(): Uint32Array {
    return this.#entities.partitions;
  }

  entityName(entity: number): string {
    return this.#entities.names.name(entity);
  }

  entityPartition(entity: number): number {
    return this.#entities.partition(entity);
  }

  findEntity(tenant: string, entity: string): number {
    return this.#entities.find({ number: this.#tenants.find(tenant), name: tenant }, entity);
  }

  rowsOfEntity(entity: number): Uint32Array {
    return this.#entities.rows(entity);
  }

  eventIdRandom(row: number): number {
    return this.#ids.random(row);
  }

  copyEventId(row: number, target: Buffer): void {
    this.#ids.copy(row, this, target);
  }

  placeText(row: number, text: RowText): void {
    this.#text.place(must(this.textOffsets[row], 'a row of the tail'), text);
    text.payloadBytes = this.payloadBytes[row] as number;
    text.metadataBytes = this.metadataBytes[row] as number;
  }

  /** For the block: ids, and the text that `textOffsets` speaks of. */
  eventIdColumn(): Uint32Array | Buffer {
    return this.#ids.column(this.#rowCount);
  }

  textSegments(): TextSegment[] {
    return this.#text.segments();
  }
}

function safeInteger(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getInt32(offset + 4, true) * 2 ** 32;
}

function grown<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
