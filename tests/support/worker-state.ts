export const WORKER = 'killed-worker';

/** The numbers of a saved state of the worker of worker-program.ts. */
export function numbersIn(saved: unknown): number[] {
  const { numbers } = saved as { readonly numbers: readonly unknown[] };
  return numbers.map(Number);
}
