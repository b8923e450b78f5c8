import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { FollowerStatus, FrameSink } from '@allsource/service-kit/feed';
import { position } from '@allsource/shared/model';
import { GivingWay } from '../../src/feed/giving-way.ts';

const HEAD = 1_000_000;

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
    const taken = sink.apply([], 'log');
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
    await sink.apply([], 'log');
    expect(applied).toEqual([0]);
  });

  it('says of itself what the store says', () => {
    expect(world().sink).toMatchObject({ appliedPosition: 7, logId: 'log' });
  });
});
