import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { FollowerStatus, FrameSink } from '@allsource/service-kit/feed';
import { position } from '@allsource/shared/model';
import { GivingWay } from '../../src/feed/giving-way.ts';
import { LogWriter } from '../projections/log-writer.ts';

const HEAD = 1_000_000;

function framesOf(count: number, eventsEach: number) {
  const log = new LogWriter();
  const events = Array.from({ length: eventsEach }, () => ({ type: 'a.b', entity: 'e' }));
  return Array.from({ length: count }, () => log.commit('acme', events));
}

function world() {
  const status = {
    hasCaughtUp: false,
    appliedPosition: position(0),
    knownHead: position(HEAD),
    fault: null,
  } satisfies FollowerStatus;
  /** Where the first stood each time the sink was given frames. */
  const applied: number[] = [];
  const sink: FrameSink = {
    appliedPosition: position(7),
    logId: 'log',
    apply: () => void applied.push(status.appliedPosition),
    advance: () => {},
    reset: () => {},
  };
  const first = { status };
  return { status, applied, sink: new GivingWay({ sink, first }) };
}

describe('a store that gives way', () => {
  it('takes frames when the other has caught up, and not before', async () => {
    const { status, applied, sink } = world();
    const taken = sink.apply(framesOf(1, 1), 'log');
    for (let at = 0; at < HEAD; at += 100_000) {
      status.appliedPosition = position(at);
      await sleep(30);
      expect(applied).toEqual([]);
    }
    status.appliedPosition = position(HEAD - 1);
    await taken;
    expect(applied).toEqual([HEAD - 1]);
  });

  it('is not held up by another that stands still', async () => {
    const { applied, sink } = world();
    await sink.apply(framesOf(1, 1), 'log');
    expect(applied).toEqual([0]);
  });

  it('looks again behind every thousand events, and takes all frames in their order', async () => {
    const { status } = world();
    const groups: number[][] = [];
    const counting: FrameSink = {
      appliedPosition: position(7),
      logId: 'log',
      apply: (frames) => {
        groups.push(frames.map(({ position: at }) => at));
        // The other falls behind with each group, and comes back.
        status.appliedPosition = position(0);
        setTimeout(() => (status.appliedPosition = position(HEAD)), 50);
      },
      advance: () => {},
      reset: () => {},
    };
    const sink = new GivingWay({ sink: counting, first: { status } });
    status.appliedPosition = position(HEAD);
    const frames = framesOf(10, 300);
    const taken = sink.apply(frames, 'log');
    await sleep(20);
    expect(groups.length).toBe(1);
    await taken;
    expect(groups.flat()).toEqual(frames.map(({ position: at }) => at));
    expect(groups.map(({ length }) => length)).toEqual([4, 4, 2]);
  });

  it('says of itself what the store says', () => {
    expect(world().sink).toMatchObject({ appliedPosition: 7, logId: 'log' });
  });
});
