import { describe, expect, test } from '@jest/globals';
import { FillPace } from '../../src/log/fill-pace.ts';

const BYTES = 1000;

/** What a turn came to so far. */
async function stateOf(turn: Promise<boolean> | boolean): Promise<boolean | 'waits'> {
  return Promise.race([turn, new Promise<'waits'>((resolve) => setImmediate(resolve, 'waits'))]);
}

describe('the filling of the next segment', () => {
  test('keeps ahead of the active one by half, and no more', async () => {
    const pace = new FillPace(BYTES);
    expect(await stateOf(pace.turn(0))).toBe('waits');
    pace.used(0.25);
    expect(pace.turn(374)).toBe(true);
    const next = pace.turn(375);
    pace.used(0.25);
    expect(await stateOf(next)).toBe('waits');
    pace.used(0.26);
    expect(await stateOf(next)).toBe(true);
  });

  test('is over when two thirds are used', () => {
    const pace = new FillPace(BYTES);
    pace.used(2 / 3);
    expect(pace.turn(BYTES - 1)).toBe(true);
  });

  test('never waits once it is wanted, and what waited goes on', async () => {
    const pace = new FillPace(BYTES);
    const waiting = pace.turn(0);
    pace.hurry();
    expect(await stateOf(waiting)).toBe(true);
    pace.used(0.1);
    expect(pace.turn(BYTES - 1)).toBe(true);
  });

  test('ends where it is when it is not wanted any more', async () => {
    const pace = new FillPace(BYTES);
    const waiting = pace.turn(0);
    pace.abandon();
    expect(await stateOf(waiting)).toBe(false);
    expect(pace.turn(1)).toBe(false);
  });
});
