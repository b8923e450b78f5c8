/** The value of a JSON text that is a whole number of at least 0, however it is written (`3`, `3.0`, `3e0`); null for any other, and beyond 2^53. */
export function wholeNumberOf(json: string): number | null {
  const number = /^-?\d/.test(json) ? Number(json) : Number.NaN;
  // -0 is 0.
  return Number.isSafeInteger(number) && number >= 0 ? Math.abs(number) : null;
}
