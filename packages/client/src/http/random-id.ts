/** A random name, such as for an idempotency key. */
export function randomId(): string {
  return crypto.randomUUID();
}
