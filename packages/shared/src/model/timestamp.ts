import { assert } from '../lang/assert.ts';
import type { Brand } from '../lang/brand.ts';

/** Microseconds since the Unix epoch. A safe integer from 1684 to 2255. */
export type Micros = Brand<number, 'Micros'>;

/** Names a number as microseconds since the epoch. */
export function micros(value: number): Micros {
  assert(Number.isSafeInteger(value), `not microseconds: ${value}`);
  return value as Micros;
}

// Groups: 1 date, 2 hour:minute, 3 second, 4 fraction, 5 zone. RFC 3339 allows a lower-case t and z, and a space for the T.
const RFC3339 =
  /^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}):(\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})$/;

/** The earliest instant an event may bear: the start of 1700. Microseconds leave the safe integers in 1684. */
export const EVENT_TIMESTAMP_MIN = /* @__PURE__ */ micros(Date.UTC(1700, 0, 1) * 1000);

/**
 * Reads an RFC 3339 instant with a zone ("2026-01-31T12:00:00.123Z", "...+02:00"), at most nine digits of fraction, of which six are kept.
 * Returns null for anything else and for days that do not exist. Instants before 1684 and after 2255, which people write for "always" and
 * "never", are read as the nearest instant that fits.
 */
export function parseTimestamp(text: string): Micros | null {
  const match = RFC3339.exec(text);
  if (match === null) return null;
  const [, date = '', clock = '', second = '', fraction = '', zone = ''] = match;
  const offsetMinutes = parseOffset(zone);
  if (offsetMinutes === null) return null;
  const base = Date.parse(`${date}T${clock}:${second}Z`);
  // Date.parse rolls February 30 over to March; a day that does not print as itself does not exist.
  if (Number.isNaN(base) || new Date(base).toISOString().slice(0, 10) !== date) return null;
  const fractionMicros = Number(fraction.padEnd(6, '0').slice(0, 6));
  const value = (base - offsetMinutes * 60_000) * 1000 + fractionMicros;
  return micros(Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value)));
}

function parseOffset(zone: string): number | null {
  if (zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4, 6));
  if (minutes > 59 || hours > 23) return null;
  const total = hours * 60 + minutes;
  return zone.startsWith('-') ? -total : total;
}

/** Prints an instant as RFC 3339 in UTC: three digits of fraction, or six when it is not a whole millisecond. */
export function formatTimestamp(value: Micros): string {
  const wholeMs = Math.floor(value / 1000);
  const rest = value - wholeMs * 1000;
  const iso = isoOf(wholeMs);
  return rest === 0 ? iso : `${iso.slice(0, -1)}${String(rest).padStart(3, '0')}Z`;
}

// The events of a commit mostly share one instant, those of a page a second, and printing it costs more than all else about an acknowledgement.
let lastPrinted = { ms: 0, iso: '1970-01-01T00:00:00.000Z' };

function isoOf(ms: number): string {
  const last = lastPrinted;
  if (last.ms === ms) return last.iso;
  const msOfSecond = ms - Math.floor(ms / 1000) * 1000;
  const isSameSecond = Math.floor(ms / 1000) === Math.floor(last.ms / 1000);
  const iso = isSameSecond
    ? `${last.iso.slice(0, -4)}${THREE_DIGITS[msOfSecond] as string}Z`
    : new Date(ms).toISOString();
  lastPrinted = { ms, iso };
  return iso;
}

const THREE_DIGITS = Array.from({ length: 1000 }, (_, value) => String(value).padStart(3, '0'));
