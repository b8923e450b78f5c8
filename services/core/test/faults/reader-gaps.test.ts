/**
 * R13: readers of every kind poll, follow and listen while 16 writers commit, the disk stalls for up to five seconds, and writes are refused for want of space: no reader ever sees a position before the ones
 * below it, and each sees every commit once.
 */
import { describe, expect, it } from '@jest/globals';
import { eachSeed, report } from '@allsource/testkit';
import { runWorld } from './simulated-world.ts';

const FILE = 'services/core/test/faults/reader-gaps.test.ts';

describe('R13: readers beside writers', () => {
  it('never see a gap, through stalled commits and refused writes', async () => {
    const totals: Record<string, number> = {};
    const seeds = await eachSeed({ file: FILE, short: 4, long: 400 }, async (seed) => {
      const { breaches, counts } = await runWorld({
        seed,
        kernelWasm: null,
        clients: 16,
        readersOfEachKind: 2,
        lives: 2,
        requestsPerClient: 60,
        troubles: ['stalls', 'refusals', 'stalls'],
      });
      expect(breaches).toEqual([]);
      for (const [name, count] of Object.entries(counts))
        totals[name] = (totals[name] ?? 0) + count;
    });
    expect(totals['stalls']).toBeGreaterThan(0);
    expect(totals['refused']).toBeGreaterThan(0);
    report('R13 readers beside writers', { seeds, ...totals });
  }, 3_600_000);
});
