/**
 * Event ids are UUIDs of version 7 (RFC 9562) that also carry the event's position, so an event is found by its id
 * without any index:
 *
 *     bits   0..47   milliseconds of recorded_at
 *     bits  48..51   version, 7
 *     bits  52..63   random
 *     bits  64..65   variant, 2
 *     bits  66..75   random
 *     bits  76..127  position, 52 bits
 *
 * The random bits only make an id of one store unlikely to equal one of another. An id is not a secret: whoever
 * presents one is answered only if the event it leads to bears exactly this id and belongs to the caller's tenant.
 */
import { assert } from '../lang/assert.ts';
import { type Position, position } from './position.ts';

export const EVENT_ID_BYTES = 16;
const POSITION_LIMIT = 2 ** 52;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Writes the id of an event into `target` at `offset`. `random` supplies 22 bits. */
export function writeEventId(
  target: Buffer,
  offset: number,
  parts: { readonly recordedAtMs: number; readonly position: Position; readonly random: number },
): void {
  assert(parts.position < POSITION_LIMIT, 'position does not fit an event id');
  const { recordedAtMs, position: at, random } = parts;
  writeUint16(target, offset, Math.floor(recordedAtMs / 2 ** 32));
  writeUint32(target, offset + 2, recordedAtMs);
  writeUint16(target, offset + 6, 0x7000 | (random & 0xfff));
  const high = Math.floor(at / 2 ** 32);
  writeUint16(target, offset + 8, 0x8000 | (((random >>> 12) & 0x3ff) << 4) | (high >>> 16));
  writeUint16(target, offset + 10, high);
  writeUint32(target, offset + 12, at);
}

// The methods of Buffer check their arguments, which costs a page of events more than all else here.
function writeUint16(target: Buffer, offset: number, value: number): void {
  target[offset] = value >>> 8;
  target[offset + 1] = value;
}

/** Writes the lowest 32 bits of a whole number. */
function writeUint32(target: Buffer, offset: number, value: number): void {
  const low = value >>> 0;
  writeUint16(target, offset, low >>> 16);
  writeUint16(target, offset + 2, low);
}

/** Prints 16 bytes as a UUID in lower case. */
export function formatEventId(source: Buffer, offset: number): string {
  const hex = source.toString('hex', offset, offset + EVENT_ID_BYTES);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** True for text of the shape of any UUID, whoever made it. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

/** The position an id of this store leads to; null for a UUID that this store cannot have made. The text must be a UUID. */
export function positionOfEventId(id: string): Position | null {
  const hex = id.replaceAll('-', '');
  if (hex[12] !== '7' || (Number.parseInt(hex[16] ?? '', 16) & 0xc) !== 0x8) return null;
  const value = Number.parseInt(hex.slice(19), 16);
  return value === 0 ? null : position(value);
}
