/**
 * R22: the whole core in a simulated world, through power losses, kills, disk errors, refusals, stalls and jumps of the clock, all from one seed: no promise to a client or a reader is broken, and the same seed makes
 * the same trace.
 */
import { describe, expect, it } from '@jest/globals';
import { eachSeed, report } from '@allsource/testkit';
import { kernelWasm } from '../support/test-kernel.ts';
import { runWorld, type WorldPlan } from './simulated-world.ts';

const FILE = 'services/core/test/faults/whole-core.test.ts';
/** One seed of so many runs twice. */
const TWICE_EVERY = 8;

function planOf(seed: number): WorldPlan {
  return {
    seed,
    kernelWasm: seed % 3 === 0 ? kernelWasm : null,
    clients: 6,
    readersOfEachKind: 1,
    lives: 4,
    requestsPerClient: 25,
    troubles: ['power loss', 'kill', 'error', 'refusals', 'stalls', 'clock'],
  };
}

describe('R22: a whole core in a simulated world', () => {
  it('breaks no promise whatever happens to it, and the same seed makes the same trace', async () => {
    const totals: Record<string, number> = {};
    let twice = 0;
    const seeds = await eachSeed({ file: FILE, short: 16, long: 10_000 }, async (seed) => {
      const outcome = await runWorld(planOf(seed));
      expect(outcome.breaches).toEqual([]);
      for (const [name, count] of Object.entries(outcome.counts))
        totals[name] = (totals[name] ?? 0) + count;
      if (seed % TWICE_EVERY !== 0) return;
      twice += 1;
      expect((await runWorld(planOf(seed))).traceHash).toBe(outcome.traceHash);
    });
    report('R22 whole core', { seeds, 'run twice': twice, ...totals });
  }, 3_600_000);
});
