/**
 * Instants as clients write them most, YYYY-MM-DDTHH:MM:SS[.fraction]Z with one to nine digits of fraction, in the years 1970 to 2254; and
 * instants as we print them. packages/shared/src/model/timestamp.ts has the whole of RFC 3339 and the same result where both apply.
 */

const DAY_MICROS: u64 = 86_400_000_000;
/** 1970-01-01 in days since March 1 of the year 0. */
const EPOCH_DAY: i64 = 719_468;
/** No instant: the other path has to say. */
export const NO_TIMESTAMP: u64 = u64.MAX_VALUE;

/** The number in two digits, or more than 99 if one of them is none. */
function twoDigits(p: usize): u32 {
  const tens: u32 = <u32>load<u8>(p) - 0x30;
  const ones: u32 = <u32>load<u8>(p, 1) - 0x30;
  return tens < 10 && ones < 10 ? tens * 10 + ones : 1000;
}

function isLeapYear(year: u32): bool {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

function daysOfMonth(year: u32, month: u32): u32 {
  if (month == 2) return isLeapYear(year) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/** Days since 1970-01-01. The year is thought to begin in March, so that the leap day is its last. */
function daysSinceEpoch(year: u32, month: u32, day: u32): u32 {
  const y = month > 2 ? year : year - 1;
  const monthFromMarch = month > 2 ? month - 3 : month + 9;
  const dayOfYear = (153 * monthFromMarch + 2) / 5 + day - 1;
  return y * 365 + y / 4 - y / 100 + y / 400 + dayOfYear - <u32>EPOCH_DAY;
}

/** Microseconds since the epoch of the text of `bytes` bytes, or NO_TIMESTAMP. */
export function parseTimestamp(p: usize, bytes: usize): u64 {
  if (bytes < 20 || bytes > 30 || bytes == 21) return NO_TIMESTAMP;
  const isShaped =
    load<u8>(p, 4) == 0x2d &&
    load<u8>(p, 7) == 0x2d &&
    load<u8>(p, 10) == 0x54 &&
    load<u8>(p, 13) == 0x3a &&
    load<u8>(p, 16) == 0x3a &&
    load<u8>(p + bytes - 1) == 0x5a;
  const century = twoDigits(p);
  const yearOfCentury = twoDigits(p + 2);
  const year = century * 100 + yearOfCentury;
  if (!isShaped || century > 99 || yearOfCentury > 99 || year < 1970 || year > 2254)
    return NO_TIMESTAMP;
  const month = twoDigits(p + 5);
  const day = twoDigits(p + 8);
  if (month - 1 >= 12 || day == 0 || day > daysOfMonth(year, month)) return NO_TIMESTAMP;
  const hour = twoDigits(p + 11);
  const minute = twoDigits(p + 14);
  const second = twoDigits(p + 17);
  if (hour > 23 || minute > 59 || second > 59) return NO_TIMESTAMP;
  const fraction = bytes == 20 ? 0 : parseFraction(p + 19, p + bytes - 1);
  if (fraction == NO_TIMESTAMP) return NO_TIMESTAMP;
  const seconds = hour * 3600 + minute * 60 + second;
  return <u64>daysSinceEpoch(year, month, day) * DAY_MICROS + <u64>seconds * 1_000_000 + fraction;
}

/** Microseconds of ".123456789"; what is finer is cut off. */
function parseFraction(dot: usize, end: usize): u64 {
  if (load<u8>(dot) != 0x2e) return NO_TIMESTAMP;
  let value: u64 = 0;
  let unit: u64 = 100_000;
  for (let p = dot + 1; p < end; p++) {
    const digit: u32 = <u32>load<u8>(p) - 0x30;
    if (digit >= 10) return NO_TIMESTAMP;
    value += digit * unit;
    unit /= 10;
  }
  return value;
}

export function writeTwoDigits(p: usize, value: u32): void {
  store<u8>(p, 0x30 + value / 10);
  store<u8>(p, 0x30 + (value % 10), 1);
}

function writeThreeDigits(p: usize, value: u32): void {
  store<u8>(p, 0x30 + value / 100);
  writeTwoDigits(p + 1, value % 100);
}

/** Prints an instant: three digits of fraction, or six when it is not a whole millisecond. Returns the address behind it. */
export function writeTimestamp(p: usize, micros: i64): usize {
  const sinceYearZero = microsSinceYearZero(micros);
  writeDate(p, <u32>(sinceYearZero / DAY_MICROS));
  const microsOfDay = sinceYearZero % DAY_MICROS;
  const secondOfDay = <u32>(microsOfDay / 1_000_000);
  const fraction = <u32>(microsOfDay % 1_000_000);
  store<u8>(p, 0x54, 10);
  writeTwoDigits(p + 11, secondOfDay / 3600);
  store<u8>(p, 0x3a, 13);
  writeTwoDigits(p + 14, (secondOfDay / 60) % 60);
  store<u8>(p, 0x3a, 16);
  writeTwoDigits(p + 17, secondOfDay % 60);
  store<u8>(p, 0x2e, 19);
  return writeFraction(p + 20, fraction);
}

/** What stands behind the point, with the Z. Returns the address behind it. */
export function writeFraction(p: usize, micros: u32): usize {
  writeThreeDigits(p, micros / 1000);
  let end = p + 3;
  if (micros % 1000 != 0) {
    writeThreeDigits(end, micros % 1000);
    end += 3;
  }
  store<u8>(end, 0x5a);
  return end + 1;
}

/** An instant counted from where there is nothing negative; a second of it begins where one of the clock does. */
export function microsSinceYearZero(micros: i64): u64 {
  return <u64>(micros + EPOCH_DAY * <i64>DAY_MICROS);
}

/** YYYY-MM-DD of a day since March 1 of the year 0. */
function writeDate(p: usize, day: u32): void {
  const era = day / 146_097;
  const dayOfEra = day % 146_097;
  const yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365;
  const dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
  const monthFromMarch = (5 * dayOfYear + 2) / 153;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + u32(month <= 2);
  writeTwoDigits(p, year / 100);
  writeTwoDigits(p + 2, year % 100);
  store<u8>(p, 0x2d, 4);
  writeTwoDigits(p + 5, month);
  store<u8>(p, 0x2d, 7);
  writeTwoDigits(p + 8, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1);
}
