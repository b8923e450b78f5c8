/**
 * R14: readers race the writers, and then the power fails, several times in the life of one log: what a reader was ever shown, live, polled or over the feed, is in the log
 * afterwards, byte for byte.
 */
import { describe, expect, it } from '@jest/globals';
import { eachSeed, report } from '@allsource/testkit';
import { runWorld } from './simulated-world.ts';

const FILE = 'services/core/test/faults/shown-then-lost.test.ts';

describe('R14: what a reader was shown', () => {
  it('is never lost with the power', async () => {
    const totals: Record<string, number> = {};
    const seeds = await eachSeed({ file: FILE, short: 24, long: 2500 }, async (seed) => {
      const { breaches, counts } = await runWorld({
        seed,
        kernelWasm: null,
        clients: 4,
        readersOfEachKind: 1,
        lives: 4,
        requestsPerClient: 30,
        troubles: ['power loss', 'power loss', 'power loss', 'stalls'],
      });
      expect(breaches).toEqual([]);
      for (const [name, count] of Object.entries(counts))
        totals[name] = (totals[name] ?? 0) + count;
    });
    expect(totals['crashes']).toBeGreaterThan(seeds);
    report('R14 shown, then the power lost', { seeds, ...totals });
  }, 3_600_000);
});
