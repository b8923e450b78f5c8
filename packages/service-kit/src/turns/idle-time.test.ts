import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { IdleTime } from './idle-time.ts';

describe('the idle time of an event loop', () => {
  it('is none of a stretch in which it was held, and most of one in which it waited', async () => {
    const idle = new IdleTime();
    await sleep(1);
    idle.sinceLastAsked();
    for (const end = performance.now() + 20; performance.now() < end; );
    expect(idle.sinceLastAsked()).toBeCloseTo(0, 1);
    await sleep(50);
    expect(idle.sinceLastAsked()).toBeGreaterThan(0.5);
  });
});
