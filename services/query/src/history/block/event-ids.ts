/**
 * Event ids in the history. An id that this store made says again what other columns say (its position and the milliseconds of
 * recorded_at), so only its 22 random bits are kept. When a single id of a run was made otherwise, the run keeps all ids whole.
 */
import { type Position, writeEventId } from '@allsource/shared/model';

/** What an id is made of, apart from its random bits. */
export interface EventIdParts {
  readonly position: number;
  /** Microseconds. */
  readonly recordedAt: number;
}

/** Stands for the random bits of an id that cannot be put together. */
export const NO_RANDOM = -1;

/** The random bits of the id at `offset`; NO_RANDOM when the id cannot be put together from these parts. The reverse of `writeEventId` of shared/model. */
export function eventIdRandom(source: DataView, offset: number, parts: EventIdParts): number {
  const versioned = source.getUint16(offset + 6);
  const high = source.getUint16(offset + 8);
  const time = source.getUint32(offset) * 65_536 + source.getUint16(offset + 4);
  const at =
    (high & 0xf) * 2 ** 48 +
    source.getUint16(offset + 10) * 2 ** 32 +
    source.getUint32(offset + 12);
  const isOurs =
    at === parts.position &&
    versioned >>> 12 === 7 &&
    high >>> 14 === 2 &&
    time === Math.floor(parts.recordedAt / 1000);
  return isOurs ? (versioned & 0xfff) | (((high >>> 4) & 0x3ff) << 12) : NO_RANDOM;
}

/** What the ids of rows are put together from, apart from their random bits. */
export interface IdColumns {
  readonly firstPosition: number;
  /** Row to position, counted from `firstPosition`. */
  readonly positions: Uint32Array;
  /** Microseconds. */
  readonly recordedAts: Float64Array;
}

/** Writes the id of a row to the start of `target`. */
// oxlint-disable-next-line eslint/max-params -- a hot loop: an object for each call would cost more than the call.
export function rebuildEventId(
  { firstPosition, positions, recordedAts }: IdColumns,
  row: number,
  random: number,
  target: Buffer,
): void {
  writeEventId(target, 0, {
    recordedAtMs: Math.floor((recordedAts[row] as number) / 1000),
    position: (firstPosition + (positions[row] as number)) as Position,
    random,
  });
}
