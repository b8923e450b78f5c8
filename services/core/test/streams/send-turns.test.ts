import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { SendTurns } from '../../src/feed/send-turns.ts';

describe('the turns of the event loop', () => {
  it('are shared: no more messages than one turn takes, in the order in which they came', async () => {
    const turns = new SendTurns(10);
    const sent: number[] = [];
    const senders = Array.from({ length: 35 }, async (_, sender) => {
      if (!turns.take()) await turns.wait();
      sent.push(sender);
    });
    const counts: number[] = [];
    for (let turn = 0; turn < 6; turn++) {
      counts.push(sent.length);
      await nextTurn();
    }
    await Promise.all(senders);
    expect(counts.slice(1)).not.toContain(0);
    const inTurns = counts.slice(1).map((count, turn) => count - (counts[turn] ?? 0));
    expect(Math.max(...inTurns)).toBe(10);
    expect(sent).toEqual(Array.from({ length: 35 }, (_, sender) => sender));
  });

  it('begin anew for who comes later', async () => {
    const turns = new SendTurns(2);
    expect([turns.take(), turns.take(), turns.take()]).toEqual([true, true, false]);
    await nextTurn();
    await nextTurn();
    expect(turns.take()).toBe(true);
  });
});
