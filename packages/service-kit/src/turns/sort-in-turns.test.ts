import { expect, it } from '@jest/globals';
import { sortInTurns } from './sort-in-turns.ts';

const PACE = { isTurnOver: true, nextTurn: () => Promise.resolve() };
const byKey = (a: { key: number }, b: { key: number }) => a.key - b.key;

it.each([0, 1, 2, 2_048, 2_049, 10_000, 12_345])(
  '%i elements are sorted as by sort, equal ones in their order',
  async (count) => {
    const list = Array.from({ length: count }, (_, i) => ({ key: (i * 7919) % 501, i }));
    expect(await sortInTurns(list, byKey, PACE)).toEqual([...list].sort(byKey));
  },
);
