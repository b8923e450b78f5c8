import { describe, expect, it } from '@jest/globals';
import { ReplayPace } from '../../src/replay/replay-pace.ts';

/** What the pace is at each look, with so many reads before it. */
function pacesOver(reads: readonly number[], besideReads = 30): number[] {
  let answered = 1_000;
  const pace = new ReplayPace({
    eventsPerSecond: 60,
    eventsPerSecondBesideReads: besideReads,
    readsAnswered: () => answered,
  });
  return reads.map((count) => {
    answered += count;
    pace.look();
    return pace.eventsPerSecond;
  });
}

describe('the pace of a replay', () => {
  it('is that beside reads until nobody was found to read', () => {
    const pace = new ReplayPace({
      eventsPerSecond: 60,
      eventsPerSecondBesideReads: 30,
      readsAnswered: () => 0,
    });
    expect(pace.eventsPerSecond).toBe(30);
    pace.look();
    expect(pace.eventsPerSecond).toBe(60);
  });

  it('goes down with the first reads, and up when there were none for three looks', () => {
    expect(pacesOver([0, 500, 500, 0, 0, 0, 0, 20])).toEqual([60, 30, 30, 30, 30, 60, 60, 30]);
    expect(pacesOver([500, 0, 0, 500, 0, 0, 0])).toEqual([30, 30, 30, 30, 30, 30, 60]);
  });

  it('does not change for somebody who watches the replay', () => {
    expect(pacesOver([5, 19, 1])).toEqual([60, 60, 60]);
  });

  it('is never more beside reads than without', () => {
    expect(pacesOver([500, 0, 0, 0], 1_000)).toEqual([60, 60, 60, 60]);
  });
});
