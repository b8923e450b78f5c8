/**
 * Event ids in a block. An id that this store made says again what other columns say (its position and the milliseconds of
 * recorded_at), so a block keeps only its 22 random bits. When a single id of a block was made otherwise, the block keeps all ids
 * whole.
 */
import { EVENT_ID_BYTES, formatEventId, position, writeEventId } from '@allsource/shared/model';
import type { Tail } from '../tail/tail.ts';

/** What an id is made of, apart from its random bits. */
export interface EventIdParts {
  readonly position: number;
  /** Microseconds. */
  readonly recordedAt: number;
}

/** Where an id is put together; its text is taken out before another is. */
const rebuilt = Buffer.alloc(EVENT_ID_BYTES);

export type CodedEventIds =
  | { readonly section: 'eventIdRandoms'; readonly values: Uint32Array }
  | { readonly section: 'eventIds'; readonly values: Buffer };

/** The ids of a tail's rows, in the shorter form that holds all of them. */
export function encodeEventIds(tail: Tail): CodedEventIds {
  const randoms = new Uint32Array(tail.rowCount);
  for (let row = 0; row < tail.rowCount; row++) {
    const event = tail.frameEvent(row);
    const { bytes, recordedAt } = event.frame;
    if (!isRebuildable(bytes, event.idOffset, { position: event.position, recordedAt }))
      return { section: 'eventIds', values: wholeIds(tail) };
    randoms[row] = randomBits(bytes, event.idOffset);
  }
  return { section: 'eventIdRandoms', values: randoms };
}

// The reverse of writeEventId of shared/model, which see for the layout.
function isRebuildable(source: Buffer, offset: number, parts: EventIdParts): boolean {
  const high = source.readUInt16BE(offset + 8);
  return (
    source.readUIntBE(offset, 6) === Math.floor(parts.recordedAt / 1000) &&
    source.readUInt16BE(offset + 6) >>> 12 === 7 &&
    high >>> 14 === 2 &&
    (high & 0xf) * 2 ** 48 + source.readUIntBE(offset + 10, 6) === parts.position
  );
}

function randomBits(source: Buffer, offset: number): number {
  const low = source.readUInt16BE(offset + 6) & 0xfff;
  return low | (((source.readUInt16BE(offset + 8) >>> 4) & 0x3ff) << 12);
}

/** An id as text, from its random bits. */
export function rebuiltEventId(parts: EventIdParts, random: number): string {
  const recordedAtMs = Math.floor(parts.recordedAt / 1000);
  writeEventId(rebuilt, 0, { recordedAtMs, position: position(parts.position), random });
  return formatEventId(rebuilt, 0);
}

function wholeIds(tail: Tail): Buffer {
  const ids = Buffer.alloc(tail.rowCount * EVENT_ID_BYTES);
  for (let row = 0; row < tail.rowCount; row++)
    ids.set(tail.frameEvent(row).idBytes, row * EVENT_ID_BYTES);
  return ids;
}
