/** Compares by UTF-16 code units, as `sort` does. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/** The same order for texts in UTF-8: compares the first two bytes that differ. */
export function compareBytesOfTexts(a: number, b: number): number {
  return rank(a) - rank(b);
}

/** U+E000 to U+FFFF begin with EE or EF; in UTF-16 they stand behind what lies beyond them, which begins with F0 to F4. */
function rank(byte: number): number {
  return byte === 0xee || byte === 0xef ? byte + 0x10 : byte;
}
