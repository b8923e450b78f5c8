import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from '@jest/globals';
import { SeededRandom } from '@allsource/testkit';
import { SortedNames } from './sorted-names.ts';

it('are in order whatever came in between, also when several ask at once', async () => {
  const random = new SeededRandom(5);
  const names = new SortedNames();
  const added = new Set<string>();
  for (let round = 0; round < 40; round++) {
    for (let i = random.below(3) === 0 ? 0 : random.below(6_000); i > 0; i--) {
      const name = `${random.below(3)}-ä${random.below(1_000_000)}`;
      if (!added.has(name)) names.add(name);
      added.add(name);
    }
    const expected = [...added].toSorted();
    const asked = Array.from({ length: 1 + random.below(3) }, () => names.inOrder());
    for (const sorted of await Promise.all(asked)) expect(sorted).toEqual(expected);
  }
});

it('leave the event loop to others while many are sorted, and take what comes meanwhile', async () => {
  const names = new SortedNames();
  const expected = Array.from({ length: 300_000 }, (_, i) => `order-${(i * 7919) % 300_007}`);
  for (const name of expected) names.add(name);
  const state = { isDone: false };
  const sorting = names.inOrder().finally(() => {
    state.isDone = true;
  });
  let turns = 0;
  for (; !state.isDone; turns++) {
    names.add(`later-${turns}`);
    expected.push(`later-${turns}`);
    await nextTurn();
  }
  await sorting;
  expect(turns).toBeGreaterThan(20);
  expect(await names.inOrder()).toEqual(expected.toSorted());
});
