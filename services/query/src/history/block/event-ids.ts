/**
 * Event ids in the history. An id that this store made says again what other columns say (its position and the milliseconds of
 * recorded_at), so only its 22 random bits are kept. When a single id of a run was made otherwise, the run keeps all ids whole.
 */
import { position, writeEventId } from '@allsource/shared/model';

/** What an id is made of, apart from its random bits. */
export interface EventIdParts {
  readonly position: number;
  /** Microseconds. */
  readonly recordedAt: number;
}

const NOT_REBUILDABLE = -1;

/** The random bits of the id at `offset`; -1 when the id cannot be put together from these parts. The reverse of `writeEventId` of shared/model. */
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
  return isOurs ? (versioned & 0xfff) | (((high >>> 4) & 0x3ff) << 12) : NOT_REBUILDABLE;
}

/** Writes an id from its random bits. */
export function rebuildEventId(
  target: Buffer,
  offset: number,
  { position: at, recordedAt, random }: EventIdParts & { readonly random: number },
): void {
  const recordedAtMs = Math.floor(recordedAt / 1000);
  writeEventId(target, offset, { recordedAtMs, position: position(at), random });
}
