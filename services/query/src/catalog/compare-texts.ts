/** Compares by UTF-16 code units, as `sort` does. */
export function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
