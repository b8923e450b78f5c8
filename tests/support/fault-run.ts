/**
 * How long the fault tests run and with which seed. `npm test` runs the short counts; `npm run test:faults` sets ALLSOURCE_TEST_FAULTS=long. The seed decides
 * what clients send and when faults strike; SEED=<number> repeats one.
 */
import { randomInt } from 'node:crypto';

const SEED_MAX = 2 ** 31;

/** True for the long counts. */
export const isLong = process.env['ALLSOURCE_TEST_FAULTS'] === 'long';

/** The seed of this run: the one asked for, else a fixed one for the short counts and a fresh one for the long. */
export const seed = chosenSeed();

function chosenSeed(): number {
  const asked = process.env['SEED'];
  if (asked === undefined || asked === '') return isLong ? randomInt(SEED_MAX) : 1;
  const number = Number(asked);
  if (!Number.isSafeInteger(number)) throw new TypeError(`SEED is ${asked}; give a whole number`);
  return number;
}

/** Says what a test did, in one line. */
export function report(test: string, counts: Readonly<Record<string, number | string>>): void {
  const parts = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  process.stderr.write(`[${test}] ${parts.join(', ')}; repeat with SEED=${seed}\n`);
}

/** Says loudly that something cannot be tested on this machine. */
export function reportNotTested(test: string, reason: string): void {
  process.stderr.write(`\n*** NOT TESTED: ${test}. ${reason} ***\n\n`);
}

/** Waits; only to let a fault strike at another moment, never to wait for a state. */
export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

/** Median and largest of some times, for a report. */
export function medianAndMax(timesMs: readonly number[]): string {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return `${Math.round(median)} ms (largest ${Math.round(sorted.at(-1) ?? 0)} ms)`;
}
