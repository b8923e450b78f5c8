/** What a test expected does not hold. */
export class ExpectationError extends Error {
  override readonly name = 'ExpectationError';
}
