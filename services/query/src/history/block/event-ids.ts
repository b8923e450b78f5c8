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

export type CodedEventIds =
  | { readonly section: 'eventIdRandoms'; readonly values: Uint32Array }
  | { readonly section: 'eventIds'; readonly values: Buffer };

/** The ids of a tail's rows, in the shorter form that holds all of them. */
export function encodeEventIds(tail: Tail): CodedEventIds {
  const randoms = new Uint32Array(tail.rowCount);
  const rebuilt = Buffer.alloc(EVENT_ID_BYTES);
  for (let row = 0; row < tail.rowCount; row++) {
    const event = tail.frameEvent(row);
    const { idBytes } = event;
    const random = randomBits(idBytes);
    writeId(rebuilt, { position: event.position, recordedAt: event.frame.recordedAt }, random);
    if (rebuilt.compare(idBytes) !== 0) return { section: 'eventIds', values: wholeIds(tail) };
    randoms[row] = random;
  }
  return { section: 'eventIdRandoms', values: randoms };
}

/** An id as text, from its random bits. */
export function rebuiltEventId(parts: EventIdParts, random: number): string {
  const bytes = Buffer.allocUnsafe(EVENT_ID_BYTES);
  writeId(bytes, parts, random);
  return formatEventId(bytes, 0);
}

function writeId(target: Buffer, parts: EventIdParts, random: number): void {
  const recordedAtMs = Math.floor(parts.recordedAt / 1000);
  writeEventId(target, 0, { recordedAtMs, position: position(parts.position), random });
}

// The reverse of writeEventId, which see for the layout.
function randomBits(id: Buffer): number {
  return (id.readUInt16BE(6) & 0xfff) | (((id.readUInt16BE(8) >>> 4) & 0x3ff) << 12);
}

function wholeIds(tail: Tail): Buffer {
  const ids = Buffer.alloc(tail.rowCount * EVENT_ID_BYTES);
  for (let row = 0; row < tail.rowCount; row++)
    ids.set(tail.frameEvent(row).idBytes, row * EVENT_ID_BYTES);
  return ids;
}
