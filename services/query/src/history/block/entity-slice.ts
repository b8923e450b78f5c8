/**
 * The rows of one entity in one block, read out of the chunks that have them: a run of its own, without any column of the block. So a read of an entity costs each of its blocks a chunk or two, whether or not
 * anything of the block is in memory.
 */
import { micros, type Position } from '@allsource/shared/model';
import { must } from '@allsource/shared/lang';
import type { SoughtEntity } from '../entity-hash.ts';
import { EventRun, type RunSource } from '../event-run.ts';
import { rowRange } from '../row-range.ts';
import type { RowText } from '../row-text.ts';
import type { Piece } from './chunk-content.ts';
import { NO_RANDOM, rebuildEventId } from './event-ids.ts';

/** What a slice has from its block. */
export interface SliceBlock {
  readonly firstPosition: Position;
  readonly lastPosition: Position;
  readonly typeNames: readonly string[];
}

const FIRST = Uint32Array.of(0);
const DOUBLE_COLUMNS = 3;
const INTEGER_COLUMNS = 2;

/** The entity of a slice. */
interface SliceEntity {
  readonly tenant: string;
  readonly entity: SoughtEntity;
}

/** The rows of an entity that were found in the chunks of a block, as a run. */
// oxlint-disable-next-line eslint/max-params -- where, of whom, and the rows.
export function sliceOf(
  block: SliceBlock,
  entity: SliceEntity,
  pieces: readonly Piece[],
): EventRun {
  const source = new EntitySlice(block, entity, pieces);
  const { rowCount, timestamps } = source;
  let min = rowCount === 0 ? 0 : Number.POSITIVE_INFINITY;
  let max = rowCount === 0 ? 0 : Number.NEGATIVE_INFINITY;
  let isTimeOrdered = true;
  for (let row = 0; row < rowCount; row++) {
    const timestamp = timestamps[row] as number;
    if (timestamp < max) isTimeOrdered = false;
    else max = timestamp;
    if (timestamp < min) min = timestamp;
  }
  return new EventRun(source, {
    rowCount,
    lastPosition: block.lastPosition,
    timestampMin: micros(min),
    timestampMax: micros(max),
    isTimeOrdered,
  });
}

class EntitySlice implements RunSource {
  readonly firstPosition: Position;
  readonly tenantNames: readonly string[];
  readonly typeNames: readonly string[];
  readonly entityCount = 1;
  readonly entityTenants = FIRST;
  readonly entityNames: Buffer;
  readonly rowCount: number;
  readonly positions: Uint32Array;
  readonly entities: Uint32Array;
  readonly types: Uint32Array;
  readonly versions: Float64Array;
  readonly timestamps: Float64Array;
  readonly recordedAts: Float64Array;
  readonly #entity: SoughtEntity;
  readonly #pieces: readonly Piece[];
  #rowInChunk = 0;

  // oxlint-disable-next-line eslint/max-params -- where, of whom, and the rows.
  constructor(block: SliceBlock, { tenant, entity }: SliceEntity, pieces: readonly Piece[]) {
    const count = pieces.reduce((sum, { rowCount }) => sum + rowCount, 0);
    // One piece of memory: for slices of few rows each would cost more than to fill it.
    const memory = new ArrayBuffer(count * (DOUBLE_COLUMNS * 8 + INTEGER_COLUMNS * 4));
    const doubles = (i: number) => new Float64Array(memory, i * count * 8, count);
    const integers = (i: number) =>
      new Uint32Array(memory, (DOUBLE_COLUMNS * 8 + i * 4) * count, count);
    this.firstPosition = block.firstPosition;
    this.tenantNames = [tenant];
    this.typeNames = block.typeNames;
    this.entityNames = entity.bytes;
    this.rowCount = count;
    this.versions = doubles(0);
    this.timestamps = doubles(1);
    this.recordedAts = doubles(2);
    this.positions = integers(0);
    this.types = integers(1);
    this.entities = zeros(count);
    this.#entity = entity;
    this.#pieces = pieces;
    let first = 0;
    for (const piece of pieces) {
      piece.content.readPiece(piece, this, first);
      first += piece.rowCount;
    }
  }

  get entityHashes(): Uint32Array {
    return Uint32Array.of(this.#entity.hash);
  }

  get entityNameEnds(): Uint32Array {
    return Uint32Array.of(this.entityNames.length);
  }

  entityName(): string {
    return this.entityNames.toString('utf8');
  }

  entityPartition(): number {
    return must(this.#pieces[0], 'a slice with rows').partition;
  }

  findEntity(): number {
    return this.rowCount === 0 ? -1 : 0;
  }

  rowsOfEntity(): Uint32Array {
    return rowRange(0, this.rowCount);
  }

  eventIdRandom(row: number): number {
    return this.#pieceOf(row).content.idRandom(this.#rowInChunk);
  }

  copyEventId(row: number, target: Buffer): void {
    const { content } = this.#pieceOf(row);
    const random = content.idRandom(this.#rowInChunk);
    if (random === NO_RANDOM) content.copyId(this.#rowInChunk, target);
    else rebuildEventId(this, row, random, target);
  }

  placeText(row: number, text: RowText): void {
    this.#pieceOf(row).content.place(this.#rowInChunk, text);
  }

  /** The piece that a row lies in; `#rowInChunk` says where. */
  #pieceOf(row: number): Piece {
    let left = row;
    for (const piece of this.#pieces) {
      this.#rowInChunk = piece.firstRow + left;
      if (left < piece.rowCount) return piece;
      left -= piece.rowCount;
    }
    throw new RangeError(`a slice has no row ${row}`);
  }
}

/** 0, 0, 0, ...: shared by all slices, and never changed. */
let allZeros = new Uint32Array(0);

function zeros(count: number): Uint32Array {
  if (allZeros.length < count) allZeros = new Uint32Array(count * 2);
  return allZeros.subarray(0, count);
}
