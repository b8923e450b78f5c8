/**
 * The tail: the newest events, in memory, in the columns a block has, with an index of its own. It takes frames until it is sealed, and is
 * read meanwhile: a reader gets a run over the rows there are at that moment, and rows never change. The frames are kept for the text,
 * so the text is not copied before it is compressed into a block.
 *
 * A frame is taken whole or not at all, so a tail is full by up to one frame more than its limits and always ends where a frame ends:
 * that is where a follower can go on.
 *
 * What the tail holds is lost in a crash and followed again from core.
 */
import { assert, must } from '@allsource/shared/lang';
import { micros, type Position, positionAfter } from '@allsource/shared/model';
import type { Frame, FrameEvent } from '@allsource/shared/protocol';
import { Dictionary } from '../dictionary.ts';
import { entityHash, tenantSeed } from '../entity-hash.ts';
import { EventRun, type RunSource } from '../event-run.ts';
import { type HashedName, NameTable } from '../name-table.ts';
import { TailEntities } from './tail-entities.ts';

const ROWS_FIRST = 1024;
/** Positions are stored as 32-bit distances from the first; a run of system events alone can make them long. */
const POSITIONS_MAX = 2 ** 31;

/** With how much a tail counts as full. The frame that fills it is still taken whole. */
export interface TailLimits {
  readonly rows: number;
  /** Bytes of frames kept in memory. */
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
  readonly #entities = new TailEntities();
  readonly #frames: Frame[] = [];
  #frameBytes = 0;
  #rowCount = 0;
  #lastPosition: Position;
  #timestampMin = Number.POSITIVE_INFINITY;
  #timestampMax = Number.NEGATIVE_INFINITY;
  #isTimeOrdered = true;
  positions = new Uint32Array(ROWS_FIRST);
  entities = new Uint32Array(ROWS_FIRST);
  types = new Uint32Array(ROWS_FIRST);
  versions = new Float64Array(ROWS_FIRST);
  timestamps = new Float64Array(ROWS_FIRST);
  recordedAts = new Float64Array(ROWS_FIRST);
  /** Row to the number of its frame, and to its place in that frame. */
  #frameNumbers = new Uint32Array(ROWS_FIRST);
  #frameIndexes = new Uint32Array(ROWS_FIRST);

  /** A tail that goes on after `after`. */
  constructor(after: Position, limits: TailLimits) {
    this.firstPosition = positionAfter(after, 1);
    this.#lastPosition = after;
    this.#limits = limits;
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
    const { eventCount, recordedAt } = frame;
    const frameNumber = this.#frames.push(frame) - 1;
    this.#frameBytes += frame.bytes.length;
    this.#beginTenant(frame.tenant);
    this.#reserve(eventCount);
    this.recordedAts.fill(recordedAt, this.#rowCount, this.#rowCount + eventCount);
    for (let i = 0; i < eventCount; i++) {
      this.#frameNumbers[this.#rowCount] = frameNumber;
      this.#frameIndexes[this.#rowCount] = i;
      this.#appendRow(frame.event(i));
    }
    this.#lastPosition = frame.lastPosition;
  }

  #beginTenant(name: string): void {
    if (this.#tenants.names[this.#tenant] === name) return;
    this.#tenant = this.#tenants.numberOf(name);
    this.#tenantSeed = tenantSeed(name);
  }

  #appendRow(event: FrameEvent): void {
    const row = this.#rowCount++;
    const { timestamp } = event;
    this.positions[row] = event.position - this.firstPosition;
    this.types[row] = this.#typeOf(event);
    this.versions[row] = event.version;
    this.timestamps[row] = timestamp;
    this.entities[row] = this.#entities.addRow(this.#entityOf(event), row, event.partition);
    if (timestamp < this.#timestampMin) this.#timestampMin = timestamp;
    if (timestamp >= this.#timestampMax) this.#timestampMax = timestamp;
    else this.#isTimeOrdered = false;
  }

  #entityOf(event: FrameEvent): HashedName {
    const { bytes } = event.frame;
    const { entityStart: start, entityEnd: end } = event;
    const hash = entityHash(this.#tenantSeed, bytes, { start, end });
    return { bytes, start, end, hash, owner: this.#tenant };
  }

  #typeOf(event: FrameEvent): number {
    const { bytes } = event.frame;
    const { typeStart: start, entityStart: end } = event;
    const hash = entityHash(0, bytes, { start, end });
    const type = this.#types.numberOf({ bytes, start, end, hash, owner: 0 });
    if (type === this.typeNames.length) this.typeNames.push(event.type);
    return type;
  }

  #reserve(rows: number): void {
    const wanted = this.#rowCount + rows;
    if (wanted <= this.positions.length) return;
    const capacity = Math.max(wanted, Math.min(this.#limits.rows, this.positions.length * 2));
    this.positions = grown(this.positions, new Uint32Array(capacity));
    this.entities = grown(this.entities, new Uint32Array(capacity));
    this.types = grown(this.types, new Uint32Array(capacity));
    this.versions = grown(this.versions, new Float64Array(capacity));
    this.timestamps = grown(this.timestamps, new Float64Array(capacity));
    this.recordedAts = grown(this.recordedAts, new Float64Array(capacity));
    this.#frameNumbers = grown(this.#frameNumbers, new Uint32Array(capacity));
    this.#frameIndexes = grown(this.#frameIndexes, new Uint32Array(capacity));
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

  eventId(row: number): string {
    return this.frameEvent(row).id;
  }

  payload(row: number): Buffer {
    return this.frameEvent(row).payload;
  }

  metadata(row: number): Buffer | null {
    return this.frameEvent(row).metadata;
  }

  /** The event of a row as its frame holds it. */
  frameEvent(row: number): FrameEvent {
    const frame = must(this.#frames[this.#frameNumbers[row] ?? -1], 'a row of the tail');
    return frame.event(this.#frameIndexes[row] as number);
  }
}

function grown<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
