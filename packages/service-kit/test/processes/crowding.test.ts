import { expect, test } from '@jest/globals';
import { Crowding } from '../../src/processes/crowding.ts';

/** What is said at moments 50 ms apart, when the processor was taken away so often before each. */
function said(takenBefore: readonly number[]): boolean[] {
  let taken = 5_000;
  const crowding = new Crowding(() => taken);
  let atMs = 100;
  return takenBefore.map((count) => {
    taken += count;
    atMs += 50;
    return crowding.isCrowded(atMs);
  });
}

test('it is crowded when the processor is taken away a thousand times a second', () => {
  expect(said([0, 0, 50, 51, 200, 50, 0])).toEqual([false, false, false, true, true, false, false]);
});

test('what was before the first look does not count', () => {
  expect(said([100_000, 10])).toEqual([false, false]);
});

test('it is looked at most twenty times a second', () => {
  let looks = 0;
  const crowding = new Crowding(() => {
    looks += 1;
    return 0;
  });
  for (let atMs = 0; atMs < 1_000; atMs += 0.5) crowding.isCrowded(atMs);
  expect(looks).toBe(20);
});
