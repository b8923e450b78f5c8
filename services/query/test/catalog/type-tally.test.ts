import { expect, test } from '@jest/globals';
import { TypeTally } from '../../src/catalog/type-tally.ts';

const TYPES = 5_000;

/** Types `t.0` .. , each counted once more than the one before it, up to ten times. */
function tallied(): TypeTally {
  const tally = new TypeTally();
  for (let type = 0; type < TYPES; type++)
    for (let count = 0; count <= type % 10; count++) tally.count(tally.numberOf(`t.${type}`), type);
  return tally;
}

test.each([null, 30, 2_000])(
  'a page of %s types is of the moment at which it was asked for',
  async (limit) => {
    const tally = tallied();
    const bounds = { offset: 10, limit };
    const asItWas = await tally.page(bounds, { isTurnOver: false, nextTurn: async () => {} });
    let turns = 0;
    const page = await tally.page(bounds, {
      isTurnOver: true,
      // What is counted in between changes the order of all, and adds a type.
      nextTurn: async () => {
        turns += 1;
        for (let count = 0; count < 20; count++) tally.count(tally.numberOf(`t.${turns}`), 1e6);
        tally.count(tally.numberOf(`new.${turns}`), 1e6);
      },
    });
    expect(turns).toBeGreaterThan(0);
    expect(page).toEqual(asItWas);
    expect(page[0]).toEqual({ type: 't.1099', eventCount: 10, lastTimestamp: 1_099 });
  },
);
