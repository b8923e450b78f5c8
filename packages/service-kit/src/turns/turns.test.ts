import { describe, expect, it } from '@jest/globals';
import { Turns } from './turns.ts';

describe('work that takes a share of the time', () => {
  it('asks at the end of each turn how large it may be', async () => {
    const shares = [0.5, 1, 0.25];
    const turns = new Turns(() => shares.shift() ?? 1);
    await turns.nextTurn();
    await turns.nextTurn();
    expect(shares).toEqual([0.25]);
  });

  it('ends between two turns when it is told to, with the reason', async () => {
    const stop = new AbortController();
    const turns = new Turns(0.5, stop.signal);
    await turns.nextTurn();
    stop.abort(new Error('enough'));
    await expect(turns.nextTurn()).rejects.toThrow('enough');
  });
});
