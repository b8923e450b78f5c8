/**
 * The ingest kernel's builder beside the one in TypeScript: both are given the same commits, conflicts, syncs and failures, and must make the same
 * frames byte for byte, the same answers and the same state. ALLSOURCE_TEST_SEED repeats a run.
 */
import { describe, expect, it } from '@jest/globals';
import { micros } from '@allsource/shared/model';
import { countTypes } from '../../src/append/commit-builder.ts';
import { SIDE_BY_SIDE_LIMITS, SideBySide, START } from '../support/builders-side-by-side.ts';
import { testKernel } from '../support/test-kernel.ts';

describe('the ingest kernel makes the same log as the builder in TypeScript', () => {
  it('over random commits, conflicts, syncs, failures and restarts', () => {
    const seed = Number(process.env.ALLSOURCE_TEST_SEED ?? Date.now() % 1_000_000_000);
    console.info(`kernel builder: seed ${seed}`);
    const pair = new SideBySide(seed);
    for (let step = 0; step < 4000; step++) {
      pair.clock.now += pair.random.below(3000) - 500;
      const action = pair.random.below(100);
      if (action < 45) pair.append();
      else if (action < 55) pair.load();
      else if (action < 96) pair.settle();
      else if (action < 99) pair.rollBack();
      else if (pair.random.below(8) === 0) pair.restart();
      if (step % 10 === 0) pair.compareState();
    }
    console.info(`kernel builder: ${JSON.stringify(pair.counts)}, ${pair.durable.length} durable`);
    for (const count of Object.values(pair.counts)) expect(count).toBeGreaterThan(0);
  });

  it('counts the types of a commit, be they few, many or more than the kernel counts', () => {
    for (const typeCount of [1, 2, 300, 4096, 4097]) {
      const { quick } = new SideBySide(1, testKernel());
      const events = Array.from({ length: 5000 }, (_, i) => ({
        type: `type_${i % typeCount}`,
        entity: 'e',
        payload: Buffer.from('1'),
        metadata: null,
        timestamp: null,
        expectedVersion: null,
      }));
      const outcome = quick.place({ space: 'events', tenant: 't', events, idempotency: null });
      if (outcome.kind !== 'placed') throw new TypeError(outcome.kind);
      expect(new Map(outcome.notes.types)).toEqual(countTypes(outcome.frame));
      quick.settle(outcome.frame);
      expect(quick.entities.eventTypeCount('t')).toBe(typeCount);
    }
  });

  it('a scanned request that another has replaced is refused', () => {
    const { quick } = new SideBySide(1);
    const body = Buffer.from('{"event_type":"a","entity_id":"e","payload":1}');
    const scan = () =>
      quick.scan([body], 'single', { limits: SIDE_BY_SIDE_LIMITS, now: micros(START) });
    const first = scan();
    scan();
    if (first === null) throw new TypeError('not scanned');
    const place = () =>
      quick.place({ space: 'events', tenant: 't', events: first, idempotency: null });
    expect(place).toThrow('before the next one');
  });
});
