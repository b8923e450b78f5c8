/** Walks over JSON text in bytes. The text is known to be JSON: where a value begins, a whole one stands. */

/** Goes over the value that begins at `start`. Returns where it ends; NO_FIT when it is not sure that it fits. */
export type ByteWalk = (bytes: Uint8Array, start: number) => number;

export const NO_FIT = -1;

export const QUOTE = 0x22;
export const BACKSLASH = 0x5c;
export const PLUS = 0x2b;
export const COMMA = 0x2c;
export const MINUS = 0x2d;
export const OPEN_ARRAY = 0x5b;
export const CLOSE_ARRAY = 0x5d;
export const LETTER_F = 0x66;
export const LETTER_N = 0x6e;
export const LETTER_T = 0x74;
export const OPEN_OBJECT = 0x7b;
export const CLOSE_OBJECT = 0x7d;
const SPACE = 0x20;

/** Where the next byte that is no white space stands. */
export function skipSpace(bytes: Uint8Array, start: number): number {
  let at = start;
  while ((bytes[at] as number) <= SPACE) at++;
  return at;
}

/** Where the text whose quote stands at `start` ends. */
export const textEnd: ByteWalk = (bytes, start) => {
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) at++;
  }
  return NO_FIT;
};

/** The same for a text without escapes; NO_FIT for one that has some. */
export const plainTextEnd: ByteWalk = (bytes, start) => {
  for (let at = start + 1; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at + 1;
    if (byte === BACKSLASH) return NO_FIT;
  }
  return NO_FIT;
};

/** Where `true`, `false` or `null` ends. */
export const wordEnd: ByteWalk = (bytes, start) => start + (bytes[start] === LETTER_F ? 5 : 4);

/** Where a number ends. */
export const numberEnd: ByteWalk = (bytes, start) => {
  let at = start + 1;
  while (isOfNumber(bytes[at])) at++;
  return at;
};

/** False for all that can stand behind a number: white space, a comma, the end of what holds it. */
export function isOfNumber(byte: number | undefined): boolean {
  if (byte === undefined || byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) return false;
  return byte > COMMA || byte === PLUS;
}

/** Any value fits. */
export const anyValue: ByteWalk = (bytes, start) => {
  switch (bytes[start] as number) {
    case QUOTE:
      return textEnd(bytes, start);
    case LETTER_F:
    case LETTER_N:
    case LETTER_T:
      return wordEnd(bytes, start);
    case OPEN_ARRAY:
    case OPEN_OBJECT:
      return containerEnd(bytes, start);
    default:
      return numberEnd(bytes, start);
  }
};

/** No value fits. */
export const noValue: ByteWalk = () => NO_FIT;

function containerEnd(bytes: Uint8Array, start: number): number {
  let depth = 0;
  for (let at = start; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = textEnd(bytes, at) - 1;
      if (at < start) return NO_FIT;
    } else if (byte === OPEN_ARRAY || byte === OPEN_OBJECT) depth++;
    else if ((byte === CLOSE_ARRAY || byte === CLOSE_OBJECT) && --depth === 0) return at + 1;
  }
  return NO_FIT;
}
