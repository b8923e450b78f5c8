import { isUtf8 } from 'node:buffer';

/** Below so many bytes each character is looked at. */
const FEW_BYTES = 16;
const CHARACTER_BYTES_MAX = 4;

/** Where the first character of a text begins that is not UTF-8, in bytes; null when all of it is. */
export function invalidUtf8At(text: Uint8Array): number | null {
  if (isUtf8(text)) return null;
  let good = 0;
  let end = text.length;
  while (end - good > FEW_BYTES) {
    const middle = startOfCharacter(text, (good + end) >>> 1);
    if (isUtf8(text.subarray(good, middle))) good = middle;
    else end = middle;
  }
  // The last character before the end may have been cut by it.
  while (true) {
    const length = characterLength(text, good);
    if (length === null) return good;
    good += length;
  }
}

/** The byte at `at`, or one of the three before it, that a character may begin with. */
function startOfCharacter(text: Uint8Array, at: number): number {
  for (let start = at; start > at - CHARACTER_BYTES_MAX; start--)
    if (((text[start] as number) & 0xc0) !== 0x80) return start;
  return at;
}

function characterLength(text: Uint8Array, start: number): number | null {
  for (let length = 1; length <= CHARACTER_BYTES_MAX; length++)
    if (start + length <= text.length && isUtf8(text.subarray(start, start + length)))
      return length;
  return null;
}
