/**
 * How long the fault tests run and with which seed. `npm test` runs the short counts; `npm run test:faults` sets ALLSOURCE_TEST_FAULTS=long. The seed decides
 * what clients send and when faults strike: SEED=<number> repeats a run, SEEDS=1 with it only that one seed.
 */
import { randomInt } from 'node:crypto';

const SEED_MAX = 2 ** 31;

/** True for the long counts. */
export const isLong = process.env['ALLSOURCE_TEST_FAULTS'] === 'long';

/** The seed of this run: the one asked for, else a fixed one for the short counts and a fresh one for the long. */
export const seed = numberFrom('SEED') ?? (isLong ? randomInt(SEED_MAX) : 1);

function numberFrom(name: string): number | null {
  const asked = process.env[name];
  if (asked === undefined || asked === '') return null;
  const number = Number(asked);
  if (!Number.isSafeInteger(number))
    throw new TypeError(`${name} is ${asked}; give a whole number`);
  return number;
}

/** Says what a test did, in one line. */
export function report(test: string, counts: Readonly<Record<string, number | string>>): void {
  const parts = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  process.stderr.write(`[${test}] ${parts.join(', ')}; repeat with SEED=${seed}\n`);
}

/** The consecutive seeds of a test that runs many: from the run's seed on, as many as wanted or as SEEDS says. */
export async function eachSeed(
  run: {
    /** The test file, for the command that repeats one seed. */
    readonly file: string;
    readonly short: number;
    readonly long: number;
  },
  test: (seed: number) => Promise<void>,
): Promise<number> {
  const count = numberFrom('SEEDS') ?? (isLong ? run.long : run.short);
  for (let one = seed; one < seed + count; one++) {
    try {
      await test(one);
    } catch (thrown) {
      process.stderr.write(
        `seed ${one} fails; repeat it with SEED=${one} SEEDS=1 npm run test:faults -- ${run.file}\n`,
      );
      throw thrown;
    }
  }
  return count;
}
