/**
 * Writes small values as JSON text straight into bytes. For a page of events that costs a third of putting strings together and turning them into bytes at the end.
 * Each function returns where it ended; the caller has made room.
 */
import { EVENT_ID_BYTES, formatTimestamp, type Micros } from '@allsource/shared/model';

const DIGITS = Buffer.from('0123456789abcdef');
const ZERO = 0x30;
const DASH = 0x2d;
const ZULU = 0x5a;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** An integer that JavaScript holds exactly has up to 16 digits. */
export const INTEGER_BYTES_MAX = 16;
export const UUID_TEXT_BYTES = 36;
export const TIMESTAMP_BYTES_MAX = 27;
const DAY_SECONDS = 86_400;
const DAY_BYTES = '2026-11-21'.length;
const HOUR_AT = '2026-11-21T'.length;
/** Days whose texts are kept. */
const DAYS_MAX = 1_000;

/** Writes a whole number from 0 to 2^53. */
export function writeInteger(target: Buffer, start: number, value: number): number {
  let digits = 1;
  for (let limit = 10; limit <= value; limit *= 10) digits += 1;
  const end = start + digits;
  let rest = value;
  for (let at = end - 1; at >= start; at--) {
    const tenth = Math.floor(rest / 10);
    target[at] = ZERO + (rest - tenth * 10);
    rest = tenth;
  }
  return end;
}

/** Writes a name as JSON text writes it between the quotes. Names have no control characters; the room is for two bytes each. */
export function writeName(
  target: Buffer,
  start: number,
  name: Uint8Array,
  span: { from: number; end: number },
): number {
  let at = start;
  for (let i = span.from; i < span.end; i++) {
    const byte = name[i] as number;
    if (byte === QUOTE || byte === BACKSLASH) target[at++] = BACKSLASH;
    target[at++] = byte;
  }
  return at;
}

/** Writes 16 bytes as a UUID in lower case. */
export function writeUuid(target: Buffer, start: number, id: Buffer): number {
  let at = start;
  for (let i = 0; i < EVENT_ID_BYTES; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) target[at++] = DASH;
    const byte = id[i] as number;
    target[at++] = DIGITS[byte >> 4] as number;
    target[at++] = DIGITS[byte & 15] as number;
  }
  return at;
}

/**
 * Writes instants as `formatTimestamp` prints them. Those of a page mostly share a second, and mostly come from few days: their texts are kept. The
 * years that microseconds can tell exactly, up to 2255, have four digits.
 */
export class TimestampText {
  #second = Number.NaN;
  /** What stands before each instant, and `2026-11-21T23:10:00.` */
  readonly #text: Buffer;
  readonly #dayAt: number;
  readonly #days = new Map<number, string>();

  /** `before` is written before each instant: in one go that costs nothing. */
  constructor(before = '') {
    this.#text = Buffer.from(`${before}0000-00-00T00:00:00.`);
    this.#dayAt = Buffer.byteLength(before);
  }

  write(target: Buffer, start: number, value: Micros): number {
    const second = Math.floor(value / 1_000_000);
    if (second !== this.#second) this.#begin(second);
    target.set(this.#text, start);
    const fraction = value - second * 1_000_000;
    const milliseconds = Math.floor(fraction / 1000);
    const rest = fraction - milliseconds * 1000;
    let at = writeThreeDigits(target, start + this.#text.length, milliseconds);
    if (rest > 0) at = writeThreeDigits(target, at, rest);
    target[at] = ZULU;
    return at + 1;
  }

  #begin(second: number): void {
    const day = Math.floor(second / DAY_SECONDS);
    if (day !== Math.floor(this.#second / DAY_SECONDS))
      this.#text.write(this.#dayText(day), this.#dayAt, 'latin1');
    const ofDay = second - day * DAY_SECONDS;
    const hour = Math.floor(ofDay / 3600);
    const minute = Math.floor(ofDay / 60) - hour * 60;
    const hourAt = this.#dayAt + HOUR_AT;
    writeTwoDigits(this.#text, hourAt, hour);
    writeTwoDigits(this.#text, hourAt + 3, minute);
    writeTwoDigits(this.#text, hourAt + 6, ofDay - hour * 3600 - minute * 60);
    this.#second = second;
  }

  /** `2026-11-21` */
  #dayText(day: number): string {
    const known = this.#days.get(day);
    if (known !== undefined) return known;
    const text = formatTimestamp((day * DAY_SECONDS * 1_000_000) as Micros).slice(0, DAY_BYTES);
    if (this.#days.size >= DAYS_MAX) this.#days.clear();
    this.#days.set(day, text);
    return text;
  }
}

function writeTwoDigits(target: Buffer, start: number, value: number): void {
  const tens = Math.floor(value / 10);
  target[start] = ZERO + tens;
  target[start + 1] = ZERO + (value - tens * 10);
}

function writeThreeDigits(target: Buffer, start: number, value: number): number {
  const hundreds = Math.floor(value / 100);
  const tens = Math.floor(value / 10) - hundreds * 10;
  target[start] = ZERO + hundreds;
  target[start + 1] = ZERO + tens;
  target[start + 2] = ZERO + (value - hundreds * 100 - tens * 10);
  return start + 3;
}
