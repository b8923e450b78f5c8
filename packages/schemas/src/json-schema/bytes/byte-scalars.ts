import {
  BACKSLASH,
  type ByteWalk,
  isOfNumber,
  MINUS,
  NO_FIT,
  numberEnd,
  plainTextEnd,
  QUOTE,
  textEnd,
} from './byte-walk.ts';

const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
/** In UTF-8 these bytes go on with a character that has begun. */
const CONTINUATION_MASK = 0xc0;
const CONTINUATION = 0x80;
/** Integers of so many digits, and powers of ten up to so much, are exact: their quotient is the double that parsing gives. */
const DIGITS_MAX = 15;
const POWERS = Array.from({ length: DIGITS_MAX + 1 }, (_, i) => 10 ** i);

/** Characters of a text. */
export interface LengthBounds {
  readonly least: number;
  readonly most: number;
}

/** Texts of some length. */
export function textWalk({ least, most }: LengthBounds): ByteWalk {
  if (least === 0 && most === Number.POSITIVE_INFINITY) return textEnd;
  return (bytes, start) => {
    let characters = 0;
    for (let at = start + 1; at < bytes.length; at++) {
      const byte = bytes[at] as number;
      if (byte === QUOTE) return characters >= least && characters <= most ? at + 1 : NO_FIT;
      if (byte === BACKSLASH) return NO_FIT;
      if ((byte & CONTINUATION_MASK) !== CONTINUATION) characters++;
    }
    return NO_FIT;
  };
}

/** Texts of a list. */
export function listedTextWalk(texts: readonly Uint8Array[]): ByteWalk {
  return (bytes, start) => {
    const end = plainTextEnd(bytes, start);
    if (end === NO_FIT) return NO_FIT;
    const length = end - start - 2;
    for (const text of texts)
      if (text.length === length && standsAt(text, bytes, start + 1)) return end;
    return NO_FIT;
  };
}

/** True when the bytes from `start` on begin with `text`. */
export function standsAt(text: Uint8Array, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text[i]) return false;
  return true;
}

export interface NumberBounds {
  readonly least: number;
  readonly above: number;
  readonly most: number;
  readonly under: number;
  readonly isInteger: boolean;
}

/** Numbers of a range. */
export function numberWalk(bounds: NumberBounds): ByteWalk {
  const { least, above, most, under, isInteger } = bounds;
  const isBounded = [least, above, most, under].some(Number.isFinite);
  if (!isInteger && !isBounded) return numberEnd;
  return (bytes, start) => {
    const isNegative = bytes[start] === MINUS;
    const first = isNegative ? start + 1 : start;
    let mantissa = 0;
    let digits = 0;
    let fractionAt = NO_FIT;
    let at = first;
    for (; isOfNumber(bytes[at]); at++) {
      const byte = bytes[at] as number;
      if (byte === POINT && fractionAt === NO_FIT && !isInteger) fractionAt = at + 1;
      else if (byte >= ZERO && byte <= NINE && ++digits <= DIGITS_MAX)
        mantissa = mantissa * 10 + (byte - ZERO);
      else return NO_FIT;
    }
    if (!isBounded) return at;
    const size = fractionAt === NO_FIT ? mantissa : mantissa / (POWERS[at - fractionAt] as number);
    const value = isNegative ? -size : size;
    const fits = value >= least && value <= most && value > above && value < under;
    return fits ? at : NO_FIT;
  };
}
